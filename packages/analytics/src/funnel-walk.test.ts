import { describe, expect, it } from 'vitest'
import { makeWorld } from '../../../test/oracle/data-sets.ts'
import { FORMS, makeFunnel } from '../../../test/oracle/definitions.ts'
import { chosenChain } from '../../../test/oracle/funnel.ts'
import { unitsOf } from '../../../test/oracle/identity.ts'
import { choicesOf } from '../../../test/oracle/random.ts'
import { funnelChains } from './funnel-walk.ts'
import { definitionOf, slicesOf } from './test-slices.ts'

const TODAY = Date.UTC(2026, 5, 1) * 1000
/** Of 50 data sets each. */
const WORLDS = 10

describe('the walk finds the chain that trying every choice of rows finds', () => {
  it.each(FORMS)('%s', (form) => {
    let entered = 0
    for (let seed = 1; seed <= WORLDS; seed++) {
      const world = makeWorld(seed, 50, TODAY)
      const funnel = makeFunnel(form, world, choicesOf(seed + 1000))
      const units = unitsOf(world.sets.flat(), funnel.unit)
      const { slices, events, units: names } = slicesOf(units, [], world.late)
      const found = new Map(
        funnelChains(slices, definitionOf(funnel)).map(({ actorNo, level, rows }) => [
          names[actorNo - 1],
          { level, events: rows.map((at) => (at === null ? null : events[at.slice]![at.row]!)) },
        ]),
      )
      for (const [unit, of] of units) {
        const wanted = chosenChain(of, funnel)
        entered += wanted === null ? 0 : 1
        expect(found.get(unit) ?? null, `seed ${seed}, ${unit}`).toEqual(wanted)
      }
    }
    expect(entered).toBeGreaterThan(100)
  })
})
