import type { Pool } from '@platform-events/postgres'
import { readOnly } from './read-only.ts'

/** An event as the live tail shows it. */
export interface TailEvent {
  id: string
  event_type: string
  user_id: string | null
  session_id: string | null
  properties: unknown
  /** ISO 8601 UTC. */
  created_at: string
  received_at: string
  source_id: number
}

/**
 * How far back a poll looks by created_at, which bounds it by the key: a client's clock may be 5 minutes slow without
 * being corrected, and the event must get here.
 */
export const WINDOW_MS = 6 * 60 * 1000

/** The most that one poll shows; beyond it the tail is a sample, and says so. */
export const POLL_ROWS = 500

const TIMEOUT_MS = 5000

/** The newest rows by received_at among those of the window, oldest first. */
export function selectRecent(pool: Pool, nowMs: number): Promise<TailEvent[]> {
  return select(pool, SELECT_RECENT, [new Date(nowMs - WINDOW_MS), new Date(nowMs + WINDOW_MS), POLL_ROWS])
}

/** Their ids alone, for all that a window may hold. */
export async function selectRecentIds(pool: Pool, nowMs: number, limit: number): Promise<IdRow[]> {
  const values = [new Date(nowMs - WINDOW_MS), new Date(nowMs + WINDOW_MS), limit]
  return (await readOnly(pool, (client) => client.query<IdRow>(SELECT_RECENT_IDS, values), TIMEOUT_MS)).rows
}

/** The last `limit` events of the last week, oldest first. */
export function selectBacklog(
  pool: Pool,
  nowMs: number,
  limit: number,
  eventType: string | undefined,
): Promise<TailEvent[]> {
  const from = new Date(nowMs - 7 * 24 * 60 * 60 * 1000)
  const to = new Date(nowMs + WINDOW_MS)
  return eventType === undefined
    ? select(pool, SELECT_BACKLOG, [from, to, limit])
    : select(pool, SELECT_BACKLOG_OF_TYPE, [from, to, limit, eventType])
}

export interface IdRow {
  id: string
  created_at: Date
}

interface Row extends Omit<TailEvent, 'created_at' | 'received_at'> {
  created_at: Date
  received_at: Date
}

async function select(pool: Pool, sql: string, values: unknown[]): Promise<TailEvent[]> {
  const found = await readOnly(pool, (client) => client.query<Row>(sql, values), TIMEOUT_MS)
  return found.rows
    .map((row) => ({
      ...row,
      created_at: row.created_at.toISOString(),
      received_at: row.received_at.toISOString(),
    }))
    .reverse()
}

/**
 * What came by SQL may be of any size, and the last 500 rows are read over and over: more than 64 KB is not shown. (The first
 * comparison spares the small ones the second: what takes 700 bytes, compressed, has no more than that.)
 */
const COLUMNS = `id, event_type, user_id, session_id,
       case when pg_column_size(properties) > 700 and octet_length(properties::text) > 65536
            then jsonb_build_object('too_large_to_show', octet_length(properties::text))
            else properties end as properties,
       created_at, received_at, source_id`

const SELECT_RECENT = `
select ${COLUMNS}
  from public.platform_events
 where created_at >= $1::timestamptz and created_at < $2::timestamptz
 order by received_at desc, id desc
 limit $3`

const SELECT_RECENT_IDS = `
select id, created_at
  from public.platform_events
 where created_at >= $1::timestamptz and created_at < $2::timestamptz
 order by received_at desc, id desc
 limit $3`

const SELECT_BACKLOG = `
select ${COLUMNS}
  from public.platform_events
 where created_at >= $1::timestamptz and created_at < $2::timestamptz
 order by created_at desc, id desc
 limit $3`

const SELECT_BACKLOG_OF_TYPE = `
select ${COLUMNS}
  from public.platform_events
 where event_type = $4 and created_at >= $1::timestamptz and created_at < $2::timestamptz
 order by created_at desc
 limit $3`
