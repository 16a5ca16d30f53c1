import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { draw, funnelOf } from '../../../test/oracle/drawn.ts'
import type { OracleEvent } from '../../../test/oracle/events.ts'
import { chosenChain, type OracleFunnel } from '../../../test/oracle/funnel.ts'
import { funnelChains } from './funnel-walk.ts'
import { definitionOf, slicesOf } from './test-slices.ts'

const TYPES = ['A', 'B', 'C']
const events = fc
  .array(fc.tuple(fc.constantFrom(...TYPES, 'X'), fc.integer({ min: 1, max: 4 })), { minLength: 2, maxLength: 7 })
  .map((drawn) => drawn.map(([type, at]) => `${type}${at}`).join(' '))
const eventTypes = fc.uniqueArray(fc.constantFrom(...TYPES), { minLength: 1, maxLength: 2 })
const steps = fc.array(eventTypes, { minLength: 2, maxLength: 4 })
const window = fc.integer({ min: 1, max: 4 })

describe('one person, few instants, and steps that share types: every row may stand for several steps', () => {
  it.each(['ordered', 'strict', 'strict_order', 'unordered'] as const)('%s', (mode) => {
    fc.assert(
      fc.property(events, steps, window, fc.boolean(), (drawn, types, width, excludes) => {
        const exclude = [{ eventTypes: ['C', 'X'], where: [], after: 1, before: types.length }]
        const funnel = funnelOf(
          types.map((of) => ({ eventTypes: of })),
          { mode, window: width, exclude: excludes && mode === 'ordered' ? exclude : [] },
        )
        const one = draw(drawn)
        expect(walked(one, funnel)).toEqual(chosenChain(one, funnel))
      }),
      { numRuns: 500 },
    )
  })

  it('of several ways to share the rows of one instant, step 2 gets its first row before step 3 does', () => {
    const one = draw('A1 B1 C1 D1')
    const shared = [['A'], ['B', 'D'], ['A', 'B', 'C']].map((of) => ({ eventTypes: of }))
    expect(walked(one, funnelOf(shared))).toEqual({ level: 3, events: one.slice(0, 3) })
    expect(chosenChain(one, funnelOf(shared))).toEqual({ level: 3, events: one.slice(0, 3) })
  })
})

function walked(one: OracleEvent[], funnel: OracleFunnel): object | null {
  const { slices, events: rows } = slicesOf(new Map([['one', one]]))
  const [found] = funnelChains(slices, definitionOf(funnel))
  if (found === undefined) return null
  return { level: found.level, events: found.rows.map((at) => at && rows[at.slice]![at.row]!) }
}
