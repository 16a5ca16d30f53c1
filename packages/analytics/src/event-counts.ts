import type { PropertyFilter } from './funnel-definition.ts'
import { type ActorRange, EVERYBODY, gatherActors } from './gather.ts'
import { GrowingCounts } from './growing-array.ts'
import { compareValues, Groups } from './row-groups.ts'
import type { DaySlice } from './slice.ts'
import { tagGroups } from './tag-groups.ts'
import { type BucketUnit, timeBuckets } from './time-buckets.ts'

/** Events and the actors behind them, by bucket of time, and by type or property where asked. */
export interface CountsQuestion {
  /** null: all. */
  eventTypes: string[] | null
  where: PropertyFilter[]
  /** Microseconds since 1970; `to` is exclusive. */
  fromMicros: number
  toMicros: number
  bucket: BucketUnit
  timeZone: string
  /** A property, SOURCE_COLUMN or TYPE_BREAKDOWN. */
  breakdown: string | null
}

/** Only cells with events. Survives structured clone; tallies of disjoint ranges of actors can be merged. */
export interface CountsTally {
  /** Where all buckets of the range start, microseconds since 1970. */
  starts: number[]
  /** One null without a breakdown. */
  groups: (string | null)[]
  /** group * starts.length + bucket, of each cell */
  keys: Float64Array
  events: Uint32Array
  actors: Uint32Array
}

export interface CountsRow {
  /** Microseconds since 1970; for bucket `all` the range's begin. */
  bucketMicros: number
  /** The breakdown's value; null where there is none, or an event lacks the property. */
  value: string | null
  events: number
  actors: number
}

/** Events without an actor, which has number 0, are counted too: by whoever takes the range that begins with 0. */
export function tallyCounts(slices: DaySlice[], question: CountsQuestion, range?: ActorRange): CountsTally {
  const { fromMicros, toMicros, bucket, timeZone, breakdown } = question
  const buckets = timeBuckets(bucket, timeZone, fromMicros, toMicros)
  const groups = new Groups()
  const tagged = tagGroups(slices, question, breakdown, groups)
  const cells = new Map<number, number>()
  const keys: number[] = []
  const events = new GrowingCounts()
  const actors = new GrowingCounts()
  const lastActor: number[] = []
  const bounds = { fromMicros, toMicros, range: range ?? EVERYBODY, untagged: false }
  gatherActors(tagged, bounds, ({ micros, tags }, begin, end, actorNo) => {
    let cell = -1
    let known = -1
    for (let row = begin; row < end; row++) {
      const key = (tags[row]! - 1) * buckets.starts.length + buckets.at(micros[row]!)
      if (key !== known) {
        known = key
        cell = cellOf(key)
        if (actorNo !== 0 && lastActor[cell] !== actorNo) actors.add(cell)
        lastActor[cell] = actorNo
      }
      events.add(cell)
    }
  })
  return {
    starts: buckets.starts,
    groups: groups.values,
    keys: Float64Array.from(keys),
    events: events.finish(keys.length),
    actors: actors.finish(keys.length),
  }

  function cellOf(key: number): number {
    const found = cells.get(key)
    if (found !== undefined) return found
    const made = keys.push(key) - 1
    cells.set(key, made)
    return made
  }
}

/** The tally of both ranges together. */
export function mergeCounts(a: CountsTally, b: CountsTally): CountsTally {
  const buckets = a.starts.length
  const groups = new Groups()
  for (const value of a.groups) groups.numberOf(value)
  const cells = new Map<number, { events: number; actors: number }>()
  for (const tally of [a, b]) {
    const numbers = tally.groups.map((value) => groups.numberOf(value))
    for (const [i, key] of tally.keys.entries()) {
      const merged = numbers[Math.floor(key / buckets)]! * buckets + (key % buckets)
      const cell = cells.get(merged) ?? { events: 0, actors: 0 }
      cells.set(merged, { events: cell.events + tally.events[i]!, actors: cell.actors + tally.actors[i]! })
    }
  }
  const counts = [...cells.values()]
  return {
    starts: a.starts,
    groups: groups.values,
    keys: Float64Array.from(cells.keys()),
    events: Uint32Array.from(counts, ({ events }) => events),
    actors: Uint32Array.from(counts, ({ actors }) => actors),
  }
}

/** By bucket, then value. Without a breakdown every bucket is there, empty ones with 0. */
export function countsAnswer(tally: CountsTally, question: CountsQuestion): CountsRow[] {
  const { starts, groups } = tally
  const rows: CountsRow[] = Array.from(tally.keys, (key, i) => ({
    bucketMicros: starts[key % starts.length]!,
    value: groups[Math.floor(key / starts.length)]!,
    events: tally.events[i]!,
    actors: tally.actors[i]!,
  }))
  if (question.breakdown === null) {
    const full = new Set(rows.map(({ bucketMicros }) => bucketMicros))
    for (const start of starts)
      if (!full.has(start)) rows.push({ bucketMicros: start, value: null, events: 0, actors: 0 })
  }
  return rows.sort((a, b) => a.bucketMicros - b.bucketMicros || compareValues(a.value, b.value))
}
