import { DAY_MICROS, type DaySlice, SELECT_USABLE_DAYS } from '@platform-events/analytics'
import type { PoolClient } from '@platform-events/postgres'
import { PROPERTY_OF_THAT_NAME } from './column.ts'
import { dateOfDay, dayOfDate, daysOf } from './day.ts'
import { collides } from './late-rows.ts'
import { readRawDays } from './raw-days.ts'
import type { RawSource } from './raw-sql.ts'
import type { SegmentCache } from './segment-cache.ts'
import { readSegmentDays, type UsableDay } from './segment-days.ts'
import type { Wanted } from './wanted.ts'

export interface Slices {
  /** By day; late rows of a closed day are a slice of their own behind it. */
  slices: DaySlice[]
  /** The key of actor FIRST_LOCAL_NO + n; the others are in events_internal.actors. */
  localKeys: bigint[]
}

/** A day with more of them is read raw: its segment is about to be built again. */
const MANY_LATE_ROWS = 10_000

/**
 * The events that a walk wants to see: closed days from their segments, with the rows that came late beside them, and all other days
 * raw. Whatever is raw and whatever is not, the rows are the same. To be called in `inSnapshot`.
 */
export async function readSlices(client: PoolClient, cache: SegmentCache, wanted: Wanted): Promise<Slices> {
  // Segments have no column for a property of that name.
  const isInSegments = wanted.unit === 'actor' && !wanted.columns.includes(PROPERTY_OF_THAT_NAME)
  const usable = isInSegments ? await usableDays(client, wanted) : []
  const segments = await readSegmentDays(client, cache, usable, wanted.columns)
  let late = usable.filter(({ day, lateRows }) => lateRows > 0 && segments.has(day)).map(({ day }) => day)
  for (;;) {
    const { slices: raw, localKeys } = await readRawDays(
      client,
      wanted,
      rawSource(wanted, new Set(segments.keys()), late),
    )
    const colliding = raw.filter(
      (slice) => wanted.sequence && segments.has(slice.day) && collides(slice, segments.get(slice.day)!),
    )
    if (colliding.length === 0) {
      const slices = [...segments.values(), ...raw]
      return { slices: slices.sort((a, b) => a.day - b.day), localKeys }
    }
    for (const { day } of colliding) segments.delete(day)
    late = late.filter((day) => segments.has(day))
  }
}

async function usableDays(client: PoolClient, { fromMicros, toMicros }: Wanted): Promise<UsableDay[]> {
  const { first, last } = daysOf(fromMicros, toMicros)
  const { rows } = await client.query<UsableRow>(SELECT_USABLE_DAYS, [dateOfDay(first), dateOfDay(last)])
  return rows
    .map((row) => ({
      day: dayOfDate(row.day),
      version: row.version,
      allProperties: row.all_properties,
      lateRows: row.late_rows,
    }))
    .filter(({ lateRows }) => lateRows <= MANY_LATE_ROWS)
}

interface UsableRow {
  day: string
  version: string
  all_properties: boolean
  late_rows: number
}

/** The ranges between the days that have a segment, neighbouring days in one. */
function rawSource({ fromMicros, toMicros }: Wanted, segments: Set<number>, lateDays: number[]): RawSource {
  const ranges: [number, number][] = []
  let from = fromMicros
  for (const day of [...segments].sort((a, b) => a - b)) {
    if (from < day * DAY_MICROS) ranges.push([from, day * DAY_MICROS])
    from = (day + 1) * DAY_MICROS
  }
  if (from < toMicros) ranges.push([from, toMicros])
  return { ranges, lateDays, fromMicros, toMicros }
}
