import { type FunnelDefinition, type FunnelTally, rateOf, wilsonInterval } from '@platform-events/analytics'

/** What a value of a property has to do with dropping out after a step. */
export interface LiftRow {
  value: string | null
  reached: number
  dropped: number
  drop_rate: number | null
  low: number | null
  high: number | null
  /** drop_rate by that of all who reached the step; null where nobody dropped out. */
  lift: number | null
}

/**
 * @param tally broken down by the property at the step
 * @param step from 1; a required one and not the last
 * @returns those who lost the most first, then by value
 */
export function liftOf(tally: FunnelTally, definition: FunnelDefinition, step: number): LiftRow[] {
  const here = step - 1
  const next = definition.steps.findIndex(({ optional }, at) => at > here && !optional)
  const groups = tally.groups.map((value, group) => {
    const reached = tally.reached[group * tally.steps + here]!
    return { value, reached, dropped: reached - tally.reached[group * tally.steps + next]! }
  })
  const all = groups.reduce(
    (sum, one) => ({ reached: sum.reached + one.reached, dropped: sum.dropped + one.dropped }),
    {
      reached: 0,
      dropped: 0,
    },
  )
  return groups
    .filter(({ reached }) => reached > 0)
    .map(({ value, reached, dropped }) => {
      const interval = wilsonInterval(dropped, reached)
      return {
        ...{ value, reached, dropped },
        drop_rate: rateOf(dropped, reached),
        low: interval?.low ?? null,
        high: interval?.high ?? null,
        lift: all.dropped === 0 ? null : Math.round((dropped / reached) * (all.reached / all.dropped) * 1e6) / 1e6,
      }
    })
    .sort((a, b) => b.dropped - a.dropped || byValue(a.value, b.value))
}

/** By code point; null last. */
function byValue(a: string | null, b: string | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null)
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
