import { isoOf } from './definition.ts'
import { type OracleEvent, textOf } from './events.ts'
import { type Chain, chosenChain, type OracleFunnel } from './funnel.ts'
import { groupBy } from './groups.ts'
import { unitsOf } from './identity.ts'
import { type Rate, rateOf } from './rates.ts'
import { type Bucket, bucketEnd, bucketStart } from './time-zones.ts'

/** A unit that entered the funnel. */
export interface Walked extends Chain {
  unit: string
}

/** Everyone who entered, by name. */
export function walk(all: readonly OracleEvent[], funnel: OracleFunnel): Walked[] {
  return [...unitsOf(all, funnel.unit)]
    .flatMap(([unit, events]) => {
      const chain = chosenChain(events, funnel)
      return chain ? [{ unit, ...chain }] : []
    })
    .sort((a, b) => (a.unit < b.unit ? -1 : 1))
}

export interface StepTotals {
  step: number
  name: string
  actors: number
  /** Who reached the required step before this and not this; 0 for step 1, null for an optional step. */
  dropped: number | null
  fromPrevious: Rate | null
  fromFirst: Rate | null
}

export function totals(walked: readonly Walked[], funnel: OracleFunnel): StepTotals[] {
  const actors = funnel.steps.map((_, index) => walked.filter(({ events }) => events[index]).length)
  return funnel.steps.map(({ name, optional }, index) => {
    const previous = requiredBefore(funnel, index)
    const base = previous === null ? actors[0]! : actors[previous]!
    return {
      step: index + 1,
      name,
      actors: actors[index]!,
      dropped: optional ? null : base - actors[index]!,
      fromPrevious: rateOf(actors[index]!, base),
      fromFirst: rateOf(actors[index]!, actors[0]!),
    }
  })
}

/** Durations to a step, microseconds, ascending: from the step before it in the chain and from the first; one of each per unit that has the step. */
export function times(
  walked: readonly Walked[],
  funnel: OracleFunnel,
  index: number,
): { fromPrevious: number[]; fromFirst: number[] } {
  const chains = walked.map(({ events }) => events).filter((events) => events[index])
  const ascending = (durations: number[]): number[] => durations.sort((a, b) => a - b)
  return {
    fromPrevious: ascending(chains.map((events) => events[index]!.at - previousOf(events, funnel, index).at)),
    fromFirst: ascending(chains.map((events) => events[index]!.at - events[0]!.at)),
  }
}

/** For a required step the required one before it, for an optional one the nearest that was filled or required. */
function previousOf(events: (OracleEvent | null)[], funnel: OracleFunnel, index: number): OracleEvent {
  if (!funnel.steps[index]!.optional) return events[requiredBefore(funnel, index) ?? 0]!
  return events.slice(0, index).findLast((event) => event !== null)!
}

export type Breakdown = { property: string; at: 'first' | 'last' | number } | { by: 'source' | 'day' }

/** The units of each group; each unit is in one. */
export function groupsOf(
  walked: readonly Walked[],
  funnel: OracleFunnel,
  breakdown: Breakdown,
): Map<string | null, Walked[]> {
  return groupBy(walked, ({ events, level }) => {
    const first = events[0]!
    if ('by' in breakdown) return breakdown.by === 'source' ? String(first.sourceId) : isoOf(first.at).slice(0, 10)
    const last = funnel.steps.flatMap((step, index) => (step.optional ? [] : [index]))[level - 1]!
    const { property, at } = breakdown
    const event = at === 'first' ? first : at === 'last' ? events[last]! : events[at - 1]
    return event ? textOf(event, property) : null
  })
}

export interface TrendBucket {
  bucket: number
  /** The window of someone who enters at its end is not over, or reaches beyond the range. */
  open: boolean
  actors: number[]
}

/** By the bucket in which the chosen chain begins; only buckets in which somebody entered. */
export function trend(
  walked: readonly Walked[],
  funnel: OracleFunnel,
  bucket: Bucket,
  timeZone: string,
  now: number,
): TrendBucket[] {
  const groups = groupBy(walked, ({ events }) => bucketStart(timeZone, bucket, events[0]!.at))
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([start, units]) => ({
      bucket: start,
      open: bucketEnd(timeZone, bucket, start) + funnel.window > Math.min(funnel.to, now),
      actors: funnel.steps.map((_, index) => units.filter(({ events }) => events[index]).length),
    }))
}

export interface LiftRow {
  value: string | null
  reached: number
  dropped: number
  dropRate: Rate
  /** dropRate / the drop rate of all; null where nobody dropped. */
  lift: number | null
}

/** @param step number of a required step but the last */
export function lift(walked: readonly Walked[], funnel: OracleFunnel, step: number, property: string): LiftRow[] {
  const reached = walked.filter(({ events }) => events[step - 1])
  const drops = (units: readonly Walked[]): number => units.filter((unit) => isDropped(unit, funnel, step)).length
  const overall = drops(reached) / reached.length
  return [...groupBy(reached, ({ events }) => textOf(events[step - 1]!, property))].map(([value, units]) => ({
    value,
    reached: units.length,
    dropped: drops(units),
    dropRate: rateOf(drops(units), units.length)!,
    lift: overall === 0 ? null : drops(units) / units.length / overall,
  }))
}

/** Reached the step and not the next required one. */
export function isDropped({ events }: Chain, funnel: OracleFunnel, step: number): boolean {
  const next = funnel.steps.findIndex((other, index) => index >= step && !other.optional)
  return events[step - 1] !== null && events[next] === null
}

function requiredBefore(funnel: OracleFunnel, index: number): number | null {
  const before = funnel.steps.findLastIndex((step, other) => other < index && !step.optional)
  return before === -1 ? null : before
}
