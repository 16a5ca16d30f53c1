import {
  BEGIN_READING,
  DAY_MICROS,
  type DaySlice,
  decodeColumn,
  decodeSegment,
  SELECT_LATE_ROWS,
  SELECT_USABLE_DAYS,
  SOURCE_COLUMN,
} from '@platform-events/analytics'
import type { Pool, PoolClient } from '@platform-events/postgres'

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
  /** By the reader's rule: usable segments with the rows that came since, all other days raw. Sorted. */
  bySegments: ReadRow[]
  /** The rows, through session_users. Sorted. */
  raw: ReadRow[]
  /** Days that were answered from a segment, and how many late rows were added to them. */
  segments: string[]
  lateRows: number
}

/** Reads days [from, to] both ways, in one transaction. */
export async function readBothWays(pool: Pool, from: string, to: string, property: string): Promise<BothWays> {
  const client = await pool.connect()
  try {
    await client.query(BEGIN_READING)
    const usable = await client.query<{ day: string; late_rows: number }>(SELECT_USABLE_DAYS, [from, to])
    const segments = usable.rows.map(({ day }) => day)
    const rows: ReadRow[] = []
    for (const day of segments) rows.push(...(await segmentRows(client, day, property)))
    const late = await client.query<ReadRow>(resolved(`(${SELECT_LATE_ROWS})`, 'true'), [segments, property])
    rows.push(...late.rows)
    const within = `e.created_at >= '${from}T00:00:00Z' and e.created_at < timestamptz '${to}T00:00:00Z' + interval '1 day'`
    const others = `${within} and not (e.created_at at time zone 'UTC')::date = any($1::date[])`
    rows.push(...(await client.query<ReadRow>(resolved('public.platform_events', others), [segments, property])).rows)
    const raw = await client.query<ReadRow>(
      resolved('public.platform_events', `${within} and $1::date[] is not null`),
      [segments, property],
    )
    return { bySegments: sorted(rows), raw: sorted(raw.rows), segments, lateRows: late.rows.length }
  } finally {
    await client.query('rollback')
    client.release()
  }
}

function resolved(rows: string, where: string): string {
  return `
select coalesce(s.user_key, e.actor_key)::text as actor, (extract(epoch from e.created_at) * 1000000)::bigint::text as micros,
       e.event_type as type, e.source_id::text as source, (nullif(e.properties -> $2, 'null'))::text as property
  from ${rows} e left join events_internal.session_users s on s.session_key = e.actor_key
 where ${where}`
}

async function segmentRows(client: PoolClient, day: string, property: string): Promise<ReadRow[]> {
  const body = await client.query<{ body: Buffer }>(
    'select body from events_internal.event_segments where day = $1::date',
    [day],
  )
  const slice = decodeSegment(body.rows[0]!.body)
  const columns = await client.query<{ property: string; body: Buffer | null }>(
    'select property, body from events_internal.event_segment_columns where day = $1::date and property = any($2)',
    [day, [property, SOURCE_COLUMN]],
  )
  for (const { property: name, body: bytes } of columns.rows) slice.columns.set(name, decodeColumn(bytes!, slice))
  const keys = await client.query<{ key: string; no: number }>(
    'select actor_key::text as key, actor_no as no from events_internal.actors where actor_no = any($1::int[])',
    [[...slice.actorNos]],
  )
  return rowsOf(slice, new Map(keys.rows.map(({ key, no }) => [no, key])), property)
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
  return code === 0 ? null : column!.values[code - 1]!
}

function sorted(rows: ReadRow[]): ReadRow[] {
  const keyOf = ({ actor, micros, type, source, property }: ReadRow) =>
    [actor, micros, type, source, property].join('|')
  return rows
    .map((row) => ({ row, key: keyOf(row) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ row }) => row)
}
