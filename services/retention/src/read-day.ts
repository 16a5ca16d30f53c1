import { copyOut, type PoolClient } from '@platform-events/postgres'
import { addDays, type Day } from './day.ts'
import { ROW_FIELDS, SegmentRows } from './segment-rows.ts'

/**
 * Reads a day out for its segment, in the transaction that is open. A row's actor is who session_users says; whoever has no actor at
 * all has number 0. In no order: sorting rows with their properties would cost Postgres more than all the rest.
 *
 * @param expected as many rows as will probably come
 */
export async function readDay(client: PoolClient, day: Day, expected: number): Promise<SegmentRows> {
  const rows = new SegmentRows(Date.parse(day) / 86_400_000, expected)
  const sql = `copy (${selectRows(day)}) to stdout (format binary)`
  await copyOut(client, sql, ROW_FIELDS, (bytes, starts, sizes) => rows.add(bytes, starts, sizes))
  return rows
}

// COPY takes no parameters: the days are ours, and dates.
function selectRows(day: Day): string {
  return `
select case when e.actor_key is null then 0 else a.actor_no end, e.created_at, e.id, e.event_type, e.source_id, e.properties
  from public.platform_events e
  left join events_internal.session_users s on s.session_key = e.actor_key
  left join events_internal.actors a on a.actor_key = coalesce(s.user_key, e.actor_key)
 where ${ofDay('e', day)}`
}

/** The condition that rows are of a UTC day. */
export function ofDay(alias: string, day: Day): string {
  return `${alias}.created_at >= '${day}T00:00:00Z' and ${alias}.created_at < '${addDays(day, 1)}T00:00:00Z'`
}
