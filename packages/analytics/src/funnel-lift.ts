import type { FunnelDefinition } from './funnel-definition.ts'
import type { FunnelTally } from './funnel-tally.ts'
import { compareValues } from './row-groups.ts'
import { rateOf, roundToMillionths, wilsonInterval } from './wilson.ts'

/** How many of those who reached a step went no further, by a property of their event there. */
export interface LiftRow {
  value: string | null
  reached: number
  /** Who did not reach the next required step. */
  dropped: number
  /** Fractions of 1, rounded to 6 decimals. */
  drop_rate: number
  low: number
  high: number
  /** drop_rate / the drop rate of all values together; null where nobody dropped. */
  lift: number | null
}

/**
 * Most dropped first, then by value.
 *
 * @param tally with a breakdown by the property at that step
 * @param step number from 1 of a required step but the last
 */
export function funnelLift(tally: FunnelTally, definition: FunnelDefinition, step: number): LiftRow[] {
  const next = definition.steps.findIndex(({ optional }, i) => i >= step && !optional)
  const counts = tally.groups.map((value, group) => {
    const reached = tally.reached[group * tally.steps + step - 1]!
    return { value, reached, dropped: reached - tally.reached[group * tally.steps + next]! }
  })
  const allReached = counts.reduce((sum, { reached }) => sum + reached, 0)
  const allDropped = counts.reduce((sum, { dropped }) => sum + dropped, 0)
  return counts
    .filter(({ reached }) => reached > 0)
    .sort((a, b) => b.dropped - a.dropped || compareValues(a.value, b.value))
    .map(({ value, reached, dropped }) => ({
      value,
      reached,
      dropped,
      drop_rate: rateOf(dropped, reached)!,
      ...wilsonInterval(dropped, reached)!,
      lift: allDropped === 0 ? null : roundToMillionths((dropped * allReached) / (reached * allDropped)),
    }))
}
