import type { FunnelDefinition } from './funnel-definition.ts'
import { type FunnelUnit, walkFunnel } from './funnel-walk.ts'
import { type ActorRange, locateRow, sliceOffsets } from './gather.ts'
import { GrowingCounts, GrowingFloats } from './growing-array.ts'
import { Groups, groupReader } from './row-groups.ts'
import { DAY_MICROS, type DaySlice, SOURCE_COLUMN } from './slice.ts'
import { type TimeBuckets, timeBuckets } from './time-buckets.ts'

/** The group of a unit: a property of its chain's first, last required or n-th event; the first event's source; the UTC day of entry. */
export type FunnelBreakdown = { property: string; at: 'first' | 'last' | number } | { by: 'source' } | { by: 'day' }

export interface FunnelTrend {
  unit: 'day' | 'week' | 'month'
  timeZone: string
}

export interface TallyOptions {
  breakdown?: FunnelBreakdown | undefined
  trend?: FunnelTrend | undefined
  /** Microseconds since 1970: a trend's bucket whose windows may not be over yet is open. */
  nowMicros: number
  range?: ActorRange | undefined
}

/** All that an answer needs of a range of units. Survives structured clone; tallies of disjoint ranges can be merged. */
export interface FunnelTally {
  steps: number
  /** Their values; one null where there is no breakdown. */
  groups: (string | null)[]
  /** Units by group and step: reached[group * steps + step]. */
  reached: Uint32Array
  /** By step; the first one's are empty. */
  times: StepTimes[]
  trend: TrendTally | null
}

/** One entry per unit that reached the step, microseconds. */
export interface StepTimes {
  /** Empty without a breakdown. */
  groups: Uint32Array
  fromPrevious: Float64Array
  /** Of the second step the same array: what is before it is the first. */
  fromFirst: Float64Array
}

export interface TrendTally {
  /** Microseconds since 1970. */
  starts: number[]
  open: boolean[]
  /** reached[bucket * steps + step] */
  reached: Uint32Array
}

/** The properties whose columns a funnel reads. */
export function funnelColumns(definition: FunnelDefinition, breakdown?: FunnelBreakdown): string[] {
  const filtered = [...definition.steps, ...definition.exclude].flatMap(({ where }) =>
    where.map(({ property }) => property),
  )
  if (breakdown !== undefined && 'property' in breakdown) filtered.push(breakdown.property)
  if (breakdown !== undefined && 'by' in breakdown && breakdown.by === 'source') filtered.push(SOURCE_COLUMN)
  return [...new Set(filtered)]
}

/** Walks the range's units through the funnel and counts them by step, group and bucket, with the times that each step took. */
export function tallyFunnel(slices: DaySlice[], definition: FunnelDefinition, options: TallyOptions): FunnelTally {
  const steps = definition.steps.length
  const groups = new Groups()
  if (options.breakdown === undefined) groups.numberOf(null)
  const groupOf = unitGroups(slices, definition, options.breakdown, groups)
  const previousOf = definition.steps.map((_, step) =>
    definition.steps.findLastIndex((one, i) => i < step && !one.optional),
  )
  const reached = new GrowingCounts()
  const times = definition.steps.map(() => ({
    groups: new GrowingFloats(),
    fromPrevious: new GrowingFloats(),
    fromFirst: new GrowingFloats(),
  }))
  const buckets = trendBuckets(definition, options.trend)
  const trend = new Uint32Array((buckets?.starts.length ?? 0) * steps)
  walkFunnel(slices, definition, options.range, (unit) => {
    const group = groupOf(unit)
    const { places } = unit
    const { micros } = unit.rows
    const start = micros[places[0]!]!
    const bucket = buckets === null ? 0 : buckets.at(start)
    let filled = 0
    for (let step = 0; step < steps; step++) {
      const place = places[step]!
      if (place === -1) continue
      reached.add(group * steps + step)
      if (buckets !== null) trend[bucket * steps + step]!++
      if (step > 0) {
        const time = micros[place]!
        const before = definition.steps[step]!.optional ? filled : previousOf[step]!
        const of = times[step]!
        if (options.breakdown !== undefined) of.groups.push(group)
        of.fromPrevious.push(time - micros[places[before]!]!)
        if (step > 1) of.fromFirst.push(time - start)
      }
      filled = step
    }
  })
  return {
    steps,
    groups: groups.values,
    reached: reached.finish(groups.values.length * steps),
    times: times.map((of, step) => {
      const fromPrevious = of.fromPrevious.finish()
      const groupsOf = new Uint32Array(of.groups.finish())
      return { groups: groupsOf, fromPrevious, fromFirst: step === 1 ? fromPrevious : of.fromFirst.finish() }
    }),
    trend:
      buckets === null
        ? null
        : { starts: buckets.starts, open: openBuckets(buckets, definition, options.nowMicros), reached: trend },
  }
}

/** The tally of both ranges together. */
export function mergeTallies(a: FunnelTally, b: FunnelTally): FunnelTally {
  const groups = new Groups()
  for (const value of a.groups) groups.numberOf(value)
  const renumbered = Uint32Array.from(b.groups, (value) => groups.numberOf(value))
  const reached = new Uint32Array(groups.values.length * a.steps)
  reached.set(a.reached)
  for (let i = 0; i < b.reached.length; i++) {
    reached[renumbered[Math.floor(i / a.steps)]! * a.steps + (i % a.steps)]! += b.reached[i]!
  }
  return {
    steps: a.steps,
    groups: groups.values,
    reached,
    times: a.times.map((times, step) => {
      const others = b.times[step]!
      const fromPrevious = concat(times.fromPrevious, others.fromPrevious)
      return {
        groups: concatGroups(times.groups, others.groups, renumbered),
        fromPrevious,
        fromFirst: step === 1 ? fromPrevious : concat(times.fromFirst, others.fromFirst),
      }
    }),
    trend: a.trend && { ...a.trend, reached: a.trend.reached.map((count, i) => count + b.trend!.reached[i]!) },
  }
}

function concatGroups(a: Uint32Array, b: Uint32Array, renumbered: Uint32Array): Uint32Array {
  const both = new Uint32Array(a.length + b.length)
  both.set(a)
  for (let i = 0; i < b.length; i++) both[a.length + i] = renumbered[b[i]!]!
  return both
}

function concat(a: Float64Array, b: Float64Array): Float64Array {
  const both = new Float64Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

function unitGroups(
  slices: DaySlice[],
  definition: FunnelDefinition,
  breakdown: FunnelBreakdown | undefined,
  groups: Groups,
): (unit: FunnelUnit) => number {
  if (breakdown === undefined) return () => 0
  if ('by' in breakdown && breakdown.by === 'day') return entryDays(groups)
  const offsets = sliceOffsets(slices)
  const read = groupReader(slices, 'property' in breakdown ? breakdown.property : SOURCE_COLUMN, groups)
  const required = definition.steps.flatMap(({ optional }, step) => (optional ? [] : [step]))
  const at = 'property' in breakdown ? breakdown.at : 'first'
  return ({ level, rows, places }) => {
    const place = places[at === 'first' ? 0 : at === 'last' ? required[level - 1]! : at - 1] ?? -1
    if (place === -1) return groups.numberOf(null)
    const { slice, row } = locateRow(offsets, rows.refs[place]!)
    return read(slice, row)
  }
}

function entryDays(groups: Groups): (unit: FunnelUnit) => number {
  const numbers = new Map<number, number>()
  return ({ rows, places }) => {
    const day = Math.floor(rows.micros[places[0]!]! / DAY_MICROS)
    const known = numbers.get(day)
    if (known !== undefined) return known
    const number = groups.numberOf(new Date((day * DAY_MICROS) / 1000).toISOString().slice(0, 10))
    numbers.set(day, number)
    return number
  }
}

function trendBuckets({ fromMicros, toMicros }: FunnelDefinition, trend: FunnelTrend | undefined): TimeBuckets | null {
  return trend === undefined ? null : timeBuckets(trend.unit, trend.timeZone, fromMicros, toMicros)
}

function openBuckets(
  { ends }: TimeBuckets,
  { windowMicros, toMicros }: FunnelDefinition,
  nowMicros: number,
): boolean[] {
  return ends.map((end) => end + windowMicros > Math.min(toMicros, nowMicros))
}
