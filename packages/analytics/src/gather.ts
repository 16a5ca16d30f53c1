import { DAY_MICROS, type DaySlice } from './slice.ts'

/**
 * What a walk wants to know of each row, as one number: bits of steps, a group, whatever the caller means by it; 0 = nothing.
 * By event type, or by row where properties matter.
 */
export interface TaggedSlice {
  slice: DaySlice
  /** Where the slice stands among those the caller gave. */
  index: number
  tagOfType: Int32Array
  tagOfRow: Int32Array | null
}

/** Actor numbers, below 2^31, `to` exclusive: workers share a question by taking different ranges. */
export interface ActorRange {
  from: number
  to: number
}

export interface GatherBounds {
  /** Microseconds since 1970; `to` is exclusive. */
  fromMicros: number
  toMicros: number
  range: ActorRange
  /** Rows with tag 0 come too. */
  untagged: boolean
}

/** Rows of many actors, one actor after another; the arrays change between visits, so take them anew in each. */
export interface GatheredRows {
  micros: Float64Array
  tags: Int32Array
  /** A row's place in all slices laid end to end: see `locateRow`. */
  refs: Uint32Array
}

/** The range, everything by default, without number 0: it has the events without an actor. */
export function actorsOf(range: ActorRange = EVERYBODY): ActorRange {
  return { from: Math.max(1, range.from), to: range.to }
}

export const EVERYBODY: ActorRange = { from: 0, to: 2 ** 31 }

/**
 * Calls `visit` once for each actor, ascending, with its rows of all days in the order of (time, id): those from `begin` to `end`
 * of `rows`. Days may come as several slices (late rows beside a segment) if no actor has a microsecond in two of them.
 *
 * Actors are taken in blocks: the lengths of their runs say where each begins, then every day pours its run behind those of the
 * days before. A block fits the processor's cache, so it beats a merge day by day (3.3 M rows of 30 days: 40 ms against 170).
 */
export function gatherActors(
  tagged: TaggedSlice[],
  bounds: GatherBounds,
  visit: (rows: GatheredRows, begin: number, end: number, actorNo: number) => void,
): void {
  const days = [...tagged].sort((a, b) => a.slice.day - b.slice.day || a.index - b.index)
  const offsets = sliceOffsets(tagged.map(({ slice }) => slice))
  const overlapping = days.some(({ slice }, i) => days[i - 1]?.slice.day === slice.day)
  const next = days.map(({ slice }) => lowerBound(slice.actorNos, bounds.range.from))
  const rows: GatheredRows = { micros: new Float64Array(0), tags: new Int32Array(0), refs: new Uint32Array(0) }
  const begins = new Uint32Array(BLOCK_ACTORS)
  const ends = new Uint32Array(BLOCK_ACTORS)
  const last = days.reduce((most, { slice }) => Math.max(most, slice.actorNos.at(-1) ?? 0), 0)
  let from = lowest(days, next)
  while (from < bounds.range.to && from <= last) {
    const to = Math.min(from + BLOCK_ACTORS, bounds.range.to)
    begins.fill(0)
    for (const [i, day] of days.entries()) countRuns(day.slice, next[i]!, from, to, begins)
    reserve(rows, startsOfCounts(begins))
    ends.set(begins)
    for (const [i, day] of days.entries())
      next[i] = pour(day, offsets[day.index]! | 0, next[i]!, from, to, bounds, rows, ends)
    for (let actor = 0; actor < to - from; actor++) {
      const begin = begins[actor]!
      const end = ends[actor]!
      if (begin === end) continue
      if (overlapping) sortByTime(rows, begin, end)
      visit(rows, begin, end, from + actor)
    }
    from = lowest(days, next)
  }
}

/** A row's slice, as its index among those given, and its row in it. */
export function locateRow(offsets: Float64Array, ref: number): { slice: number; row: number } {
  let low = 0
  let high = offsets.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (offsets[middle]! <= ref) low = middle
    else high = middle - 1
  }
  return { slice: low, row: ref - offsets[low]! }
}

/** Where each slice begins when all are laid end to end. */
export function sliceOffsets(slices: DaySlice[]): Float64Array {
  const offsets = new Float64Array(slices.length)
  for (let i = 1; i < slices.length; i++) offsets[i] = offsets[i - 1]! + slices[i - 1]!.rows
  return offsets
}

/** The rows of the range's actors: they stand together. */
export function rowsOfActors({ actorNos, actorEnds }: DaySlice, range: ActorRange): { begin: number; end: number } {
  const before = (actorNo: number): number => actorEnds[lowerBound(actorNos, actorNo) - 1] ?? 0
  return { begin: before(range.from), end: before(range.to) }
}

const BLOCK_ACTORS = 8192

function lowest(days: TaggedSlice[], next: number[]): number {
  let least = Number.POSITIVE_INFINITY
  for (const [i, { slice }] of days.entries())
    least = Math.min(least, slice.actorNos[next[i]!] ?? Number.POSITIVE_INFINITY)
  return least
}

function countRuns(
  { actorNos, actorEnds }: DaySlice,
  first: number,
  from: number,
  to: number,
  counts: Uint32Array,
): void {
  let begin = first === 0 ? 0 : actorEnds[first - 1]!
  for (let run = first; run < actorNos.length; run++) {
    const actor = actorNos[run]! | 0
    if (actor >= to) return
    const end = actorEnds[run]! | 0
    counts[actor - from]! += end - begin
    begin = end
  }
}

function startsOfCounts(counts: Uint32Array): number {
  let sum = 0
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!
    counts[i] = sum
    sum += count
  }
  return sum
}

function reserve(rows: GatheredRows, needed: number): void {
  if (rows.tags.length >= needed) return
  const capacity = Math.ceil(needed * 1.25)
  rows.micros = new Float64Array(capacity)
  rows.tags = new Int32Array(capacity)
  rows.refs = new Uint32Array(capacity)
}

/** Writes the runs of the block's actors behind what they have so far, and returns the run that the next block begins with. */
function pour(
  { slice, tagOfType, tagOfRow }: TaggedSlice,
  offset: number,
  first: number,
  from: number,
  to: number,
  bounds: GatherBounds,
  rows: GatheredRows,
  ends: Uint32Array,
): number {
  const { actorNos, actorEnds, ms, us, typeCodes } = slice
  const { micros, tags, refs } = rows
  const dayStart = slice.day * DAY_MICROS
  const whole = dayStart >= bounds.fromMicros && dayStart + DAY_MICROS <= bounds.toMicros
  const spare = bounds.untagged ? 1 : 0
  let run = first
  // Numbers that fit 31 bits are told so (| 0): the loops run on integers then, a quarter faster.
  let row = run === 0 ? 0 : actorEnds[run - 1]! | 0
  for (; run < actorNos.length; run++) {
    const actor = actorNos[run]! | 0
    if (actor >= to) break
    const end = actorEnds[run]! | 0
    let at = ends[actor - from]! | 0
    // No branch on the tag: it is as good as random, and a wrong guess costs more than a row written in vain (the next overwrites it).
    if (whole && tagOfRow === null) {
      for (; row < end; row++) {
        const tag = tagOfType[typeCodes[row]!]!
        micros[at] = dayStart + ms[row]! * 1000 + us[row]!
        tags[at] = tag
        refs[at] = (offset + row) | 0
        at += ((tag | -tag) >>> 31) | spare
      }
    } else {
      for (; row < end; row++) {
        const tag = tagOfRow === null ? tagOfType[typeCodes[row]!]! : tagOfRow[row]!
        const time = dayStart + ms[row]! * 1000 + us[row]!
        if (time < bounds.fromMicros || time >= bounds.toMicros) continue
        micros[at] = time
        tags[at] = tag
        refs[at] = (offset + row) | 0
        at += ((tag | -tag) >>> 31) | spare
      }
    }
    ends[actor - from] = at
  }
  return run
}

/** By insertion, stable: two runs that are in order each, the second one short. */
function sortByTime({ micros, tags, refs }: GatheredRows, begin: number, end: number): void {
  for (let i = begin + 1; i < end; i++) {
    const time = micros[i]!
    if (micros[i - 1]! <= time) continue
    const tag = tags[i]!
    const ref = refs[i]!
    let at = i
    for (; at > begin && micros[at - 1]! > time; at--) {
      micros[at] = micros[at - 1]!
      tags[at] = tags[at - 1]!
      refs[at] = refs[at - 1]!
    }
    micros[at] = time
    tags[at] = tag
    refs[at] = ref
  }
}

function lowerBound(values: Uint32Array, least: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[middle]! < least) low = middle + 1
    else high = middle
  }
  return low
}
