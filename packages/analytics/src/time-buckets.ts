import { DAY_MICROS } from './slice.ts'
import { instantOfLocal, zoneOffsets } from './zone-offsets.ts'

export type BucketUnit = 'minute' | 'hour' | 'day' | 'week' | 'month' | 'all'

/** The buckets that a range touches, in the order in which they begin; microseconds since 1970. */
export interface TimeBuckets {
  /** As `date_trunc(unit, time, zone)` gives it, so the first may lie before the range; for `all` the range's begin. */
  starts: number[]
  /** Where the bucket after it starts. */
  ends: number[]
  /** The bucket of a time within the range. */
  at(micros: number): number
}

/**
 * Cuts [from, to) by the clock of a zone, daylight saving included: every bucket is found once, so that rows are only looked up.
 *
 * @throws RangeError when the zone is unknown
 */
export function timeBuckets(unit: BucketUnit, timeZone: string, fromMicros: number, toMicros: number): TimeBuckets {
  if (unit === 'all') return { starts: [fromMicros], ends: [toMicros], at: () => 0 }
  const offsets = zoneOffsets(timeZone, fromMicros - MARGIN, toMicros + MARGIN)
  const fine = unit === 'minute' || unit === 'hour'
  const bucketOfStart = new Map<number, number>()
  const buckets = { starts: [] as number[], ends: [] as number[] }
  const spans = { starts: [] as number[], buckets: [] as number[] }
  for (const { from, to, offset } of offsets) {
    const begin = Math.max(from, fromMicros)
    const end = Math.min(to, toMicros)
    // Hours and minutes keep the offset of their time; a day, week or month begins by the offset of its own midnight.
    const instant = (local: number): number => (fine ? local - offset : instantOfLocal(offsets, local))
    for (
      let local = truncate(unit, begin + offset);
      local - offset < end && begin < end;
      local = following(unit, local)
    ) {
      const start = instant(local)
      if (!bucketOfStart.has(start)) {
        bucketOfStart.set(start, buckets.starts.length)
        buckets.starts.push(start)
        buckets.ends.push(instant(following(unit, local)))
      }
      spans.starts.push(Math.max(begin, local - offset))
      spans.buckets.push(bucketOfStart.get(start)!)
    }
  }
  return { ...buckets, at: lookUp(Float64Array.from(spans.starts), Uint32Array.from(spans.buckets), LENGTHS[unit]) }
}

/** A month reaches this far beyond a range at most. */
const MARGIN = 33 * DAY_MICROS
const WEEK = 7 * DAY_MICROS
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY = 4 * DAY_MICROS
const LENGTHS = { minute: 60e6, hour: 3600e6, day: DAY_MICROS, week: WEEK, month: 30.4 * DAY_MICROS }

function truncate(unit: keyof typeof LENGTHS, local: number): number {
  if (unit === 'month') return startOfMonth(local, 0)
  const origin = unit === 'week' ? FIRST_MONDAY : 0
  return Math.floor((local - origin) / LENGTHS[unit]) * LENGTHS[unit] + origin
}

function following(unit: keyof typeof LENGTHS, local: number): number {
  return unit === 'month' ? startOfMonth(local, 1) : local + LENGTHS[unit]
}

function startOfMonth(local: number, later: number): number {
  const date = new Date(Math.floor(local / 1000))
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later) * 1000
}

/** Spans are nearly of one length, so a guess by it is off by one or so. */
function lookUp(starts: Float64Array, buckets: Uint32Array, length: number): (micros: number) => number {
  const origin = starts[1] === undefined ? 0 : starts[1] - length
  const last = starts.length - 1
  return (micros) => {
    let i = Math.max(0, Math.min(last, Math.floor((micros - origin) / length)))
    while (i > 0 && starts[i]! > micros) i--
    while (i < last && starts[i + 1]! <= micros) i++
    return buckets[i]!
  }
}
