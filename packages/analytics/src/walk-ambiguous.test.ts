import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { draw, funnelOf } from '../../../test/oracle/drawn.ts'
import { chosenChain } from '../../../test/oracle/funnel.ts'
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
        const { slices, events: rows } = slicesOf(new Map([['one', one]]))
        const found = funnelChains(slices, definitionOf(funnel)).map(({ level, rows: at }) => ({
          level,
          events: at.map((place) => place && rows[place.slice]![place.row]!),
        }))
        expect(found[0] ?? null).toEqual(chosenChain(one, funnel))
      }),
      { numRuns: 500 },
    )
  })
})
