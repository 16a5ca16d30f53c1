import { type ActorRange, actorsOf, type GatheredRows, gatherActors } from './gather.ts'
import { DAY_MICROS, type DaySlice } from './slice.ts'
import { tagEvents } from './tag-events.ts'
import { everyType } from './tag-groups.ts'
import { type TimeBuckets, timeBuckets } from './time-buckets.ts'
import { rateOf } from './wilson.ts'

/** Who came back, by the day, week or month in which they came first. */
export interface RetentionQuestion {
  /** null: any event. */
  first: string | null
  returning: string | null
  /** Of the first events; microseconds since 1970, `to` exclusive. */
  fromMicros: number
  toMicros: number
  unit: 'day' | 'week' | 'month'
  /** Periods from the cohort's own (0) on. */
  periods: number
  timeZone: string
  nowMicros: number
}

/** Survives structured clone; tallies of disjoint ranges of actors can be merged. */
export interface RetentionTally {
  /** By cohort. */
  sizes: Uint32Array
  /** returned[cohort * periods + period] */
  returned: Uint32Array
}

export interface RetentionRow {
  /** Where the cohort's bucket starts, microseconds since 1970. */
  cohortMicros: number
  size: number
  period: number
  actors: number
  /** Of the cohort, rounded to 6 decimals. */
  rate: number
  /** The period is not over. */
  open: boolean
}

/**
 * The events that are needed: returning ones are looked for until the last cohort's last period ends, or now. No cohort but the last is
 * looked at, so that it costs the same for any range.
 */
export function retentionRange(question: RetentionQuestion): { fromMicros: number; toMicros: number } {
  const { fromMicros, toMicros, nowMicros, periods } = question
  if (toMicros <= fromMicros) return { fromMicros, toMicros: fromMicros }
  const { cohorts, ends } = bucketsOf({ ...question, fromMicros: Math.max(fromMicros, toMicros - DAY_MICROS) })
  return { fromMicros, toMicros: Math.min(ends[cohorts + periods - 2]!, Math.max(nowMicros, toMicros)) }
}

export function tallyRetention(slices: DaySlice[], question: RetentionQuestion, range?: ActorRange): RetentionTally {
  const { first, returning, periods, toMicros, nowMicros } = question
  const buckets = bucketsOf(question)
  const sizes = new Uint32Array(buckets.cohorts)
  const returned = new Uint32Array(buckets.cohorts * periods)
  const typesOf = (type: string | null): string[] => (type === null ? everyType(slices) : [type])
  const tagged = tagEvents(slices, [
    { eventTypes: typesOf(first), where: [] },
    { eventTypes: typesOf(returning), where: [] },
  ])
  // The actor who was counted last in each period, of whatever cohort: an actor is in one.
  const counted = new Int32Array(periods).fill(-1)
  const bounds = { ...retentionRange(question), range: actorsOf(range), untagged: false }
  gatherActors(tagged, bounds, (rows, begin, end, actorNo) => {
    const { micros, tags } = rows
    const origin = firstWith(rows, FIRST, begin, end)
    if (origin === -1 || micros[origin]! >= toMicros) return
    const cohort = buckets.at(micros[origin]!)
    sizes[cohort]!++
    let row = origin
    while (row > begin && micros[row - 1] === micros[origin]) row--
    for (; row < end && micros[row]! < nowMicros; row++) {
      if ((tags[row]! & RETURNING) === 0 || row === origin) continue
      const period = buckets.at(micros[row]!) - cohort
      if (period < 0 || period >= periods || counted[period] === actorNo) continue
      counted[period] = actorNo
      returned[cohort * periods + period]!++
    }
  })
  return { sizes, returned }
}

/** The tally of both ranges together. */
export function mergeRetention(a: RetentionTally, b: RetentionTally): RetentionTally {
  return {
    sizes: a.sizes.map((size, i) => size + b.sizes[i]!),
    returned: a.returned.map((actors, i) => actors + b.returned[i]!),
  }
}

/** Cohorts that somebody is in, each with all its periods. */
export function retentionAnswer(tally: RetentionTally, question: RetentionQuestion): RetentionRow[] {
  const { starts, ends } = bucketsOf(question)
  return Array.from(tally.sizes, (size, cohort) =>
    Array.from({ length: size === 0 ? 0 : question.periods }, (_, period) => {
      const actors = tally.returned[cohort * question.periods + period]!
      const open = ends[cohort + period]! > question.nowMicros
      return { cohortMicros: starts[cohort]!, size, period, actors, rate: rateOf(actors, size)!, open }
    }),
  ).flat()
}

const FIRST = 1
const RETURNING = 2
const LONGEST = { day: 25, week: 7 * 24 + 1, month: 31 * 24 + 1 }

/** The buckets of all cohorts and of the periods after them. */
function bucketsOf({
  unit,
  timeZone,
  fromMicros,
  toMicros,
  periods,
}: RetentionQuestion): TimeBuckets & { cohorts: number } {
  const buckets = timeBuckets(unit, timeZone, fromMicros, toMicros + (periods + 1) * LONGEST[unit] * 3_600_000_000)
  return { ...buckets, cohorts: toMicros > fromMicros ? buckets.at(toMicros - 1) + 1 : 0 }
}

function firstWith({ tags }: GatheredRows, bit: number, begin: number, end: number): number {
  for (let row = begin; row < end; row++) if ((tags[row]! & bit) !== 0) return row
  return -1
}
