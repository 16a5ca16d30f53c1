import type { PoolClient } from '@platform-events/postgres'
import type { EventRow } from './event-row.ts'

const HOUR_MICROS = 3_600_000_000

const ADD_TO_ROLLUP = `
  insert into events_internal.event_rollup_hourly as rollup (hour, event_type, shard, n)
  select hour, event_type, $1, n
  from unnest($2::timestamptz[], $3::text[], $4::bigint[]) as counted (hour, event_type, n)
  order by hour, event_type collate "C"
  on conflict (hour, event_type, shard) do update set n = rollup.n + excluded.n`

/**
 * Adds rows to the hourly counts. Belongs at the end of the transaction: written first, the locks on the current hour's rows
 * are held for the whole COPY and two writers with one shard run at 0.6 of their speed. Keys sorted, or they deadlock.
 */
export async function addToRollup(client: PoolClient, rows: EventRow[], shard: number): Promise<void> {
  const counts = countByHour(rows)
  if (counts.length === 0) return
  const hours = counts.map(({ hour }) => new Date(hour / 1000).toISOString())
  const types = counts.map(({ eventType }) => eventType)
  await client.query(ADD_TO_ROLLUP, [shard, hours, types, counts.map(({ n }) => n)])
}

interface HourCount {
  /** Start of the UTC hour, microseconds since 1970. */
  hour: number
  eventType: string
  n: number
}

/** Events by UTC hour and type. */
function countByHour(rows: EventRow[]): HourCount[] {
  const hours = new Map<number, Map<string, number>>()
  for (const { createdAt, eventType } of rows) {
    const hour = createdAt - (((createdAt % HOUR_MICROS) + HOUR_MICROS) % HOUR_MICROS)
    const types = hours.get(hour) ?? new Map<string, number>()
    if (types.size === 0) hours.set(hour, types)
    types.set(eventType, (types.get(eventType) ?? 0) + 1)
  }
  return [...hours].flatMap(([hour, types]) => [...types].map(([eventType, n]) => ({ hour, eventType, n })))
}
