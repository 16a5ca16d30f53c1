import {
  type DaySlice,
  decodeColumn,
  decodeSegment,
  type PropertyColumn,
  SegmentFormatError,
} from '@platform-events/analytics'
import { copyOut, escapeLiteral, type PoolClient } from '@platform-events/postgres'
import { dateOfDay } from './day.ts'
import { Dictionary } from './dictionary.ts'
import type { KnownColumn, SegmentCache } from './segment-cache.ts'

/** A day whose segment may be used, as `SELECT_USABLE_DAYS` tells. */
export interface UsableDay {
  /** Since 1970. */
  day: number
  version: string
  /** Whether a property without a column of its own occurs on no event of the day. */
  allProperties: boolean
  /** Rows that came since. */
  lateRows: number
}

/**
 * The slices of days whose segment may be used, with their columns, from the cache or from Postgres.
 *
 * @returns by day; one that is missing must be read raw: a column of it was not kept, or its bytes are damaged
 */
export async function readSegmentDays(
  client: PoolClient,
  cache: SegmentCache,
  days: readonly UsableDay[],
  columns: readonly string[],
): Promise<Map<number, DaySlice>> {
  const slices = await bareSlices(client, cache, days)
  if (columns.length === 0) return slices
  const found = days.filter(({ day }) => slices.has(day))
  const known = await columnsOf(client, cache, found, columns, slices)
  for (const { day } of found) {
    const ofDay = columns.map((property) => [property, known.get(`${day}/${property}`) ?? 'not kept'] as const)
    if (ofDay.some(([, column]) => column === 'not kept')) slices.delete(day)
    else slices.set(day, { ...slices.get(day)!, columns: new Map(ofDay.filter(isPresent)) })
  }
  return slices
}

async function bareSlices(
  client: PoolClient,
  cache: SegmentCache,
  days: readonly UsableDay[],
): Promise<Map<number, DaySlice>> {
  const slices = new Map<number, DaySlice>()
  const missing: UsableDay[] = []
  for (const usable of days) {
    const slice = cache.slice(usable.day, usable.version)
    if (slice === undefined) missing.push(usable)
    else slices.set(usable.day, slice)
  }
  if (missing.length === 0) return slices
  const versions = new Map(missing.map(({ day, version }) => [day, version]))
  const sql = `copy (select day - date '1970-01-01', body from events_internal.event_segments where day = any (${datesOf(missing)})) to stdout (format binary)`
  await copyOut(client, sql, 2, (bytes, starts, sizes) => {
    const day = bytes.readInt32BE(starts[0])
    const slice = unlessDamaged(
      () => decodeSegment(shared(bytes, starts[1]!, sizes[1]!)),
      (error) => cache.onDamaged(day, versions.get(day)!, error),
    )
    if (slice === undefined) return
    slices.set(day, slice)
    cache.keepSlice(versions.get(day)!, slice)
  })
  return slices
}

/** By `day/property`. */
async function columnsOf(
  client: PoolClient,
  cache: SegmentCache,
  days: readonly UsableDay[],
  columns: readonly string[],
  slices: Map<number, DaySlice>,
): Promise<Map<string, KnownColumn>> {
  const known = new Map<string, KnownColumn>()
  const missing = new Map<string, { usable: UsableDay; property: string }>()
  for (const usable of days)
    for (const property of columns) {
      const column = cache.column(usable.day, usable.version, property)
      if (column === undefined) missing.set(`${usable.day}/${property}`, { usable, property })
      else known.set(`${usable.day}/${property}`, column)
    }
  if (missing.size === 0) return known
  const lacking = [...missing.values()]
  const sql = `
copy (select day - date '1970-01-01', property, body from events_internal.event_segment_columns
       where day = any (${datesOf(lacking.map(({ usable }) => usable))})
         and property = any (array[${[...new Set(lacking.map(({ property }) => property))].map(escapeLiteral).join(', ')}]::text[])
     ) to stdout (format binary)`
  const lists = new Map<string, Dictionary>()
  await copyOut(client, sql, 3, (bytes, starts, sizes) => {
    const day = bytes.readInt32BE(starts[0])
    const property = bytes.toString('utf8', starts[1], starts[1]! + sizes[1]!)
    const key = `${day}/${property}`
    if (!missing.has(key)) return
    const column =
      sizes[2]! < 0
        ? undefined
        : unlessDamaged(
            () => decodeColumn(shared(bytes, starts[2]!, sizes[2]!), slices.get(day)!),
            (error) => cache.onDamaged(day, missing.get(key)!.usable.version, error),
          )
    known.set(key, column === undefined ? 'not kept' : sharedColumn(column, listOf(property, lists)))
  })
  for (const [key, { usable, property }] of missing) {
    const column = known.get(key) ?? (usable.allProperties ? 'absent' : 'not kept')
    known.set(key, column)
    cache.keepColumn(usable.day, usable.version, property, column)
  }
  return known
}

function datesOf(days: readonly UsableDay[]): string {
  return `array[${[...new Set(days.map(({ day }) => `'${dateOfDay(day)}'`))].join(', ')}]::date[]`
}

function isPresent(entry: readonly [string, KnownColumn]): entry is readonly [string, PropertyColumn] {
  return typeof entry[1] !== 'string'
}

/** A copy that worker threads see without another. */
function shared(bytes: Uint8Array, start: number, size: number): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(size))
  copy.set(bytes.subarray(start, start + size))
  return copy
}

/** As many values as a day may have at most: beyond them a list would weigh on questions about few of its days. */
const MOST_LISTED = 65_536

/** The list of a property's values that the days which are read together share. */
function listOf(property: string, lists: Map<string, Dictionary>): Dictionary {
  const known = lists.get(property)
  if (known !== undefined && known.texts.length < MOST_LISTED) return known
  const list = new Dictionary()
  lists.set(property, list)
  return list
}

/**
 * One list of values for many days goes to the workers once, and they look at each value once. The codes may need to be copied to
 * where workers see them: decoding spreads those of a property that only some types have over an array of its own.
 */
function sharedColumn({ values, codes }: PropertyColumn, list: Dictionary): PropertyColumn {
  const numberOfCode = new Uint32Array(new SharedArrayBuffer(4 * (values.length + 1)))
  for (const [at, value] of values.entries()) numberOfCode[at + 1] = list.code(value) + 1
  if (codes.buffer instanceof SharedArrayBuffer) return { values: list.texts, codes, numberOfCode }
  const bytes = shared(new Uint8Array(codes.buffer, codes.byteOffset, codes.byteLength), 0, codes.byteLength)
  const type = codes.constructor as new (buffer: ArrayBufferLike) => typeof codes
  return { values: list.texts, codes: new type(bytes.buffer), numberOfCode }
}

function unlessDamaged<T>(decode: () => T, onDamaged: (error: SegmentFormatError) => void): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (!(error instanceof SegmentFormatError)) throw error
    onDamaged(error)
    return undefined
  }
}
