import { type ActorRange, actorsOf, gatherActors } from './gather.ts'
import { DAY_MICROS, type DaySlice } from './slice.ts'
import { tagEvents } from './tag-events.ts'
import { everyType } from './tag-groups.ts'
import { timeBuckets } from './time-buckets.ts'
import { rateOf } from './wilson.ts'

/** How many actors were active on each day, and in the 7 and 30 days that end with it. */
export interface ActiveActorsQuestion {
  /** null: any event. */
  eventTypes: string[] | null
  /** The days asked for are those that the range touches; microseconds since 1970, `to` exclusive. */
  fromMicros: number
  toMicros: number
  timeZone: string
}

/** By day. Survives structured clone; tallies of disjoint ranges of actors can be merged. */
export interface ActiveActorsTally {
  daily: Uint32Array
  weekly: Uint32Array
  monthly: Uint32Array
}

export interface ActiveActorsRow {
  /** Where the day starts, microseconds since 1970. */
  dayMicros: number
  daily: number
  weekly: number
  monthly: number
  /** daily / monthly, rounded to 6 decimals; null where nobody was active. */
  stickiness: number | null
}

/**
 * The events that are needed: the days are taken whole, and the 29 before the first with them; and where the first begins. Only the
 * two ends are looked at, so that it costs the same for any range.
 */
export function activeActorsRange(question: ActiveActorsQuestion): {
  fromMicros: number
  toMicros: number
  firstDayMicros: number
} {
  const { timeZone, fromMicros, toMicros } = question
  if (toMicros <= fromMicros) return { fromMicros, toMicros: fromMicros, firstDayMicros: fromMicros }
  const { starts } = daysOf({ ...question, toMicros: Math.min(fromMicros + DAY_MICROS, toMicros) })
  const { ends } = timeBuckets('day', timeZone, toMicros - DAY_MICROS, toMicros)
  return { fromMicros: starts[0]!, toMicros: ends.at(-1)!, firstDayMicros: starts[MONTH - 1]! }
}

export function tallyActiveActors(
  slices: DaySlice[],
  question: ActiveActorsQuestion,
  range?: ActorRange,
): ActiveActorsTally {
  const days = daysOf(question)
  const count = days.starts.length
  const daily = new Int32Array(count)
  // Differences: what a day has more than the day before.
  const weekly = new Int32Array(count + MONTH)
  const monthly = new Int32Array(count + MONTH)
  const tagged = tagEvents(slices, [{ eventTypes: question.eventTypes ?? everyType(slices), where: [] }])
  const bounds = { ...activeActorsRange(question), range: actorsOf(range), untagged: false }
  gatherActors(tagged, bounds, ({ micros }, begin, end) => {
    let last = Number.NEGATIVE_INFINITY
    for (let row = begin; row < end; row++) {
      const day = days.at(micros[row]!)
      if (day === last) continue
      daily[day]!++
      cover(weekly, day, last, WEEK)
      cover(monthly, day, last, MONTH)
      last = day
    }
  })
  return { daily: asked(daily), weekly: asked(summed(weekly)), monthly: asked(summed(monthly)) }

  function asked(counts: Int32Array): Uint32Array {
    return Uint32Array.from(counts.subarray(Math.min(MONTH - 1, count), count))
  }
}

/** The tally of both ranges together. */
export function mergeActiveActors(a: ActiveActorsTally, b: ActiveActorsTally): ActiveActorsTally {
  const sum = (x: Uint32Array, y: Uint32Array): Uint32Array => x.map((count, i) => count + y[i]!)
  return { daily: sum(a.daily, b.daily), weekly: sum(a.weekly, b.weekly), monthly: sum(a.monthly, b.monthly) }
}

export function activeActorsAnswer(tally: ActiveActorsTally, question: ActiveActorsQuestion): ActiveActorsRow[] {
  const { starts } = daysOf(question)
  return Array.from(tally.daily, (daily, i) => {
    const monthly = tally.monthly[i]!
    return {
      dayMicros: starts[MONTH - 1 + i]!,
      daily,
      weekly: tally.weekly[i]!,
      monthly,
      stickiness: rateOf(daily, monthly),
    }
  })
}

const WEEK = 7
const MONTH = 30

interface Days {
  starts: number[]
  at(micros: number): number
}

/** The days of the range, behind the 29 before them. */
function daysOf({ timeZone, fromMicros, toMicros }: ActiveActorsQuestion): Days {
  if (toMicros <= fromMicros) return { starts: [], at: () => 0 }
  const { starts, at } = timeBuckets('day', timeZone, fromMicros - (MONTH + 1) * DAY_MICROS, toMicros)
  const before = at(fromMicros) - (MONTH - 1)
  return { starts: starts.slice(before), at: (micros) => at(micros) - before }
}

/** One actor more on the days that end within `length` of this day, but for those already counted from the last day on. */
function cover(differences: Int32Array, day: number, last: number, length: number): void {
  differences[Math.max(day, last + length)]!++
  differences[day + length]!--
}

function summed(differences: Int32Array): Int32Array {
  for (let i = 1; i < differences.length; i++) differences[i]! += differences[i - 1]!
  return differences
}
