import { DAY_MICROS } from './slice.ts'
import { zoneOffsets } from './zone-offsets.ts'

export type BucketUnit = 'minute' | 'hour' | 'day' | 'week' | 'month' | 'all'

/** The buckets that a range touches, ascending; microseconds since 1970. */
export interface TimeBuckets {
  /** The first may lie before the range; for `all` it is the range's begin. */
  starts: number[]
  /** Where the bucket after each starts. */
  ends: number[]
  /** The number of the bucket that holds a time of the range. */
  at(micros: number): number
}

/**
 * Cuts [from, to) by the clock of a zone: a bucket is a run of instants in one hour, day, week (from Monday) or month of its calendar,
 * so that a day in which clocks change has 23 or 25 hours; an hour that they show twice is two. All are found before any row is looked at.
 *
 * @throws RangeError when the zone is unknown
 */
export function timeBuckets(unit: BucketUnit, timeZone: string, fromMicros: number, toMicros: number): TimeBuckets {
  if (unit === 'all') return { starts: [fromMicros], ends: [toMicros], at: () => 0 }
  if (fromMicros >= toMicros) return { starts: [], ends: [], at: () => 0 }
  const margin = LENGTHS[unit] + 3 * DAY_MICROS
  const all = runs(unit, unit === 'minute' ? 'UTC' : timeZone, fromMicros - margin, toMicros + margin)
  const first = all.findLastIndex((start) => start <= fromMicros)
  const after = all.findIndex((start) => start >= toMicros)
  const starts = all.slice(first, after)
  return { starts, ends: all.slice(first + 1, after + 1), at: lookUp(Float64Array.from(starts), LENGTHS[unit]) }
}

const WEEK = 7 * DAY_MICROS
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY = 4 * DAY_MICROS
/** Of the usual bucket, microseconds. */
const LENGTHS = { minute: 60e6, hour: 3600e6, day: DAY_MICROS, week: WEEK, month: 30.4 * DAY_MICROS }

function runs(unit: keyof typeof LENGTHS, timeZone: string, fromMicros: number, toMicros: number): number[] {
  const starts: number[] = []
  let last = ''
  for (const { from, to, offset } of zoneOffsets(timeZone, fromMicros, toMicros)) {
    for (let local = truncate(unit, from + offset); local - offset < to; local = following(unit, local)) {
      const label = unit === 'hour' ? `${local} ${offset}` : `${local}`
      if (label !== last) starts.push(Math.max(from, local - offset))
      last = label
    }
  }
  return starts
}

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

/** Buckets are nearly of one length, so a guess by it is off by one or so. */
function lookUp(starts: Float64Array, length: number): (micros: number) => number {
  const origin = starts[1] === undefined ? 0 : starts[1] - length
  const last = starts.length - 1
  return (micros) => {
    let i = Math.max(0, Math.min(last, Math.floor((micros - origin) / length)))
    while (i > 0 && starts[i]! > micros) i--
    while (i < last && starts[i + 1]! <= micros) i++
    return i
  }
}
