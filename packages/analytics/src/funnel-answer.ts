import type { FunnelDefinition } from './funnel-definition.ts'
import type { FunnelTally, TrendTally } from './funnel-tally.ts'
import { compareValues } from './row-groups.ts'
import { distributionOf, type TimeDistribution } from './time-distribution.ts'
import { rateOf, wilsonInterval } from './wilson.ts'

/** Rates are fractions of 1, rounded to 6 decimals, null where they would divide by 0. */
export interface StepAnswer {
  /** From 1. */
  step: number
  /** The step's name. */
  event_type: string
  name: string
  actors: number
  /** Of those who reached the required step before it; null for an optional step. */
  dropped: number | null
  from_previous: number | null
  from_previous_low: number | null
  from_previous_high: number | null
  from_first: number | null
  from_first_low: number | null
  from_first_high: number | null
  /** Seconds; no values for step 1. */
  time_from_previous: TimeDistribution
  time_from_first: TimeDistribution
}

export interface FunnelGroup {
  value: string | null
  /** All groups beyond the limit together. */
  other?: true
  steps: StepAnswer[]
}

/** Only buckets in which somebody entered. */
export interface TrendBucket {
  /** ISO 8601, UTC. */
  bucket: string
  /** The windows of those who came last in it may not be over. */
  open: boolean
  steps: { step: number; actors: number; from_first: number | null }[]
}

export interface FunnelAnswer {
  steps: StepAnswer[]
  breakdown?: FunnelGroup[]
  trend?: TrendBucket[]
}

/** @param options.limit groups told apart in the breakdown, those with most units at step 1 first; without it there is no breakdown */
export function funnelAnswer(
  tally: FunnelTally,
  definition: FunnelDefinition,
  options: { limit?: number } = {},
): FunnelAnswer {
  const answer: FunnelAnswer = { steps: stepAnswers(tally, definition, new Int32Array(tally.groups.length), 1)[0]! }
  if (options.limit !== undefined) answer.breakdown = breakdownAnswer(tally, definition, options.limit)
  if (tally.trend !== null) answer.trend = trendAnswer(tally.trend, tally.steps)
  return answer
}

function breakdownAnswer(tally: FunnelTally, definition: FunnelDefinition, limit: number): FunnelGroup[] {
  const entered = (group: number): number => tally.reached[group * tally.steps]!
  const order = [...tally.groups.keys()]
    .filter((group) => entered(group) > 0)
    .sort((a, b) => entered(b) - entered(a) || compareValues(tally.groups[a]!, tally.groups[b]!))
  const shown = order.slice(0, limit)
  const places = new Int32Array(tally.groups.length).fill(shown.length)
  for (const [place, group] of shown.entries()) places[group] = place
  const answers = stepAnswers(tally, definition, places, shown.length + 1)
  const groups: FunnelGroup[] = shown.map((group, place) => ({ value: tally.groups[group]!, steps: answers[place]! }))
  if (order.length > shown.length) groups.push({ value: null, other: true, steps: answers[shown.length]! })
  return groups
}

/** The steps of each place, where `places` says at which of them a group is counted. */
function stepAnswers(
  tally: FunnelTally,
  definition: FunnelDefinition,
  places: Int32Array,
  count: number,
): StepAnswer[][] {
  const { steps } = tally
  const actors = new Float64Array(count * steps)
  for (let i = 0; i < tally.reached.length; i++) {
    actors[places[Math.floor(i / steps)]! * steps + (i % steps)]! += tally.reached[i]!
  }
  const times = tally.times.map(({ groups, fromPrevious, fromFirst }, step) => {
    const split = splitter(groups, places, count)
    const ofPrevious = split(fromPrevious).map(distributionOf)
    return { fromPrevious: ofPrevious, fromFirst: step === 1 ? ofPrevious : split(fromFirst).map(distributionOf) }
  })
  return Array.from({ length: count }, (_, place) =>
    definition.steps.map(({ name, optional }, step): StepAnswer => {
      const here = actors[place * steps + step]!
      const first = actors[place * steps]!
      const before = definition.steps.findLastIndex((one, i) => i < step && !one.optional)
      const previous = before === -1 ? here : actors[place * steps + before]!
      const ofPrevious = wilsonInterval(here, previous)
      const ofFirst = wilsonInterval(here, first)
      return {
        step: step + 1,
        event_type: name,
        name,
        actors: here,
        dropped: optional ? null : previous - here,
        from_previous: rateOf(here, previous),
        from_previous_low: ofPrevious?.low ?? null,
        from_previous_high: ofPrevious?.high ?? null,
        from_first: rateOf(here, first),
        from_first_low: ofFirst?.low ?? null,
        from_first_high: ofFirst?.high ?? null,
        time_from_previous: times[step]!.fromPrevious[place]!,
        time_from_first: times[step]!.fromFirst[place]!,
      }
    }),
  )
}

/** Gives the values of each place in arrays of their own, for values that are of these groups. */
function splitter(groups: Uint32Array, places: Int32Array, count: number): (values: Float64Array) => Float64Array[] {
  if (count === 1) return (values) => [values.slice()]
  const placeOf = new Uint16Array(groups.length)
  const sizes = new Uint32Array(count)
  for (let i = 0; i < groups.length; i++) {
    const place = places[groups[i]!]!
    placeOf[i] = place
    sizes[place]!++
  }
  return (values) => {
    const parts = Array.from(sizes, (size) => new Float64Array(size))
    const filled = new Uint32Array(count)
    for (let i = 0; i < values.length; i++) {
      const place = placeOf[i]!
      parts[place]![filled[place]!++] = values[i]!
    }
    return parts
  }
}

function trendAnswer({ starts, open, reached }: TrendTally, steps: number): TrendBucket[] {
  return starts.flatMap((start, bucket) => {
    const entered = reached[bucket * steps]!
    if (entered === 0) return []
    const answers = Array.from({ length: steps }, (_, step) => {
      const actors = reached[bucket * steps + step]!
      return { step: step + 1, actors, from_first: rateOf(actors, entered) }
    })
    return [{ bucket: new Date(start / 1000).toISOString(), open: open[bucket]!, steps: answers }]
  })
}
