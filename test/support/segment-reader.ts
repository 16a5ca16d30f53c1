import { DAY_MICROS, type DaySlice, SELECT_USABLE_DAYS, SOURCE_COLUMN } from '@platform-events/analytics'
import type { Pool, PoolClient } from '@platform-events/postgres'
import { dayOfDate } from '../../services/query/src/slices/day.ts'
import { FIRST_LOCAL_NO } from '../../services/query/src/slices/raw-days.ts'
import { type SegmentCache, segmentCache } from '../../services/query/src/slices/segment-cache.ts'
import { readSlices, type Slices } from '../../services/query/src/slices/source.ts'
import { inSnapshot } from '../../services/query/src/snapshot.ts'

/** A row as analyses see it. */
interface ReadRow {
  /** Resolved key; null: nobody. */
  actor: string | null
  micros: string
  type: string
  source: string
  /** The text of one property; null: absent, or JSON null. */
  property: string | null
}

/** What one snapshot says of the same days, in two ways. */
export interface BothWays {
  /** As the query service reads them: usable segments with the rows that came since, all other days raw. Sorted. */
  bySegments: ReadRow[]
  /** The rows, through session_users. Sorted. */
  raw: ReadRow[]
  /** Days whose segment may be used, and how many late rows belong to them. */
  segments: string[]
  lateRows: number
}

const never = new AbortController().signal

/**
 * Reads days [from, to] both ways, in one transaction.
 *
 * @param cache kept from one reading to the next it must never bring back what was
 */
export async function readBothWays(
  pool: Pool,
  from: string,
  to: string,
  property: string,
  cache: SegmentCache = segmentCache(2 ** 24),
): Promise<BothWays> {
  return await inSnapshot(pool, never, async (client) => {
    const usable = await client.query<{ day: string; late_rows: number }>(SELECT_USABLE_DAYS, [from, to])
    const read = await readSlices(client, cache, {
      fromMicros: dayOfDate(from) * DAY_MICROS,
      toMicros: (dayOfDate(to) + 1) * DAY_MICROS,
      unit: 'actor',
      eventTypes: null,
      columns: [property, SOURCE_COLUMN],
      sequence: true,
      nobody: true,
    })
    const keys = await keysOf(client, read)
    const raw = await client.query<ReadRow>(SELECT_RAW, [from, to, property])
    return {
      bySegments: sorted(read.slices.flatMap((slice) => rowsOf(slice, keys, property))),
      raw: sorted(raw.rows),
      segments: usable.rows.map(({ day }) => day),
      lateRows: usable.rows.reduce((sum, { late_rows }) => sum + late_rows, 0),
    }
  })
}

const SELECT_RAW = `
select coalesce(s.user_key, e.actor_key)::text as actor, (extract(epoch from e.created_at) * 1000000)::bigint::text as micros,
       e.event_type as type, e.source_id::text as source, (nullif(e.properties -> $3, 'null'))::text as property
  from public.platform_events e left join events_internal.session_users s on s.session_key = e.actor_key
 where e.created_at >= $1::date at time zone 'UTC' and e.created_at < ($2::date + 1) at time zone 'UTC'`

async function keysOf(client: PoolClient, { slices, localKeys }: Slices): Promise<Map<number, string>> {
  const keys = new Map(localKeys.map((key, at) => [FIRST_LOCAL_NO + at, String(key)]))
  const found = await client.query<{ key: string; no: number }>(
    'select actor_key::text as key, actor_no as no from events_internal.actors where actor_no = any($1::int[])',
    [slices.flatMap(({ actorNos }) => [...actorNos])],
  )
  for (const { key, no } of found.rows) keys.set(no, key)
  return keys
}

function rowsOf(slice: DaySlice, keys: Map<number, string>, property: string): ReadRow[] {
  const rows: ReadRow[] = []
  let actor = 0
  for (let row = 0; row < slice.rows; row += 1) {
    if (row === slice.actorEnds[actor]) actor += 1
    const number = slice.actorNos[actor]!
    const value = valueAt(slice, property, row)
    rows.push({
      actor: number === 0 ? null : (keys.get(number) ?? `number ${number} of nobody`),
      micros: String(slice.day * DAY_MICROS + slice.ms[row]! * 1000 + slice.us[row]!),
      type: slice.types[slice.typeCodes[row]!]!,
      source: valueAt(slice, SOURCE_COLUMN, row) ?? 'none',
      property: value === 'null' ? null : value,
    })
  }
  return rows
}

function valueAt(slice: DaySlice, property: string, row: number): string | null {
  const column = slice.columns.get(property)
  const code = column?.codes[row] ?? 0
  if (code === 0) return null
  return column!.values[(column!.numberOfCode?.[code] ?? code) - 1]!
}

function sorted(rows: ReadRow[]): ReadRow[] {
  const keyOf = ({ actor, micros, type, source, property }: ReadRow) =>
    [actor, micros, type, source, property].join('|')
  return rows
    .map((row) => ({ row, key: keyOf(row) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ row }) => row)
}
