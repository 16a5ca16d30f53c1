import type { PoolClient } from '@platform-events/postgres'
import { actorKey } from './actor-key.ts'
import type { EventRow } from './event-row.ts'

// The session looked up first, by a subquery that cannot become a join (a plan made for a few rows would read the whole table
// for many): ON CONFLICT DO UPDATE locks, and so rewrites, even the rows that its WHERE leaves alone.
const CLAIM_SESSIONS = `
  insert into events_internal.session_users as known
    (session_id, session_key, user_id, user_key, first_created_at, first_id)
  select session_id, session_key, user_id, user_key, first_created_at, first_id
  from json_to_recordset($1) as claim
    (session_id text, session_key bigint, user_id uuid, user_key bigint, first_created_at timestamptz, first_id uuid)
  where (
    select (earlier.first_created_at, earlier.first_id) <= (claim.first_created_at, claim.first_id)
    from events_internal.session_users as earlier
    where earlier.session_id = claim.session_id
  ) is not true
  order by session_id collate "C"
  on conflict (session_id) do update set
    user_id = excluded.user_id,
    user_key = excluded.user_key,
    first_created_at = excluded.first_created_at,
    first_id = excluded.first_id
  where (excluded.first_created_at, excluded.first_id) < (known.first_created_at, known.first_id)`

/**
 * Gives sessions to users: a session belongs to the user of its earliest (created_at, id) event that carries both, in
 * whatever order events arrive. Writes only what changes; keys sorted, or two writers deadlock.
 */
export async function claimSessions(client: PoolClient, rows: EventRow[]): Promise<void> {
  const claims = earliestBySession(rows)
  if (claims.length === 0) return
  const values = claims.map((row) => ({
    session_id: row.sessionId,
    session_key: String(actorKey(null, row.sessionId)),
    user_id: row.userId,
    user_key: String(row.actorKey),
    first_created_at: isoMicros(row.createdAt),
    first_id: row.id,
  }))
  await client.query(CLAIM_SESSIONS, [JSON.stringify(values)])
}

/** Of the rows with both a user and a session, the earliest (created_at, id) of each session. */
function earliestBySession(rows: EventRow[]): EventRow[] {
  const earliest = new Map<string, EventRow>()
  for (const row of rows) {
    if (row.userId === null || row.sessionId === null) continue
    const known = earliest.get(row.sessionId)
    if (known === undefined || isEarlier(row, known)) earliest.set(row.sessionId, row)
  }
  return [...earliest.values()]
}

/** UUIDs in lower case sort as their bytes do in Postgres. */
function isEarlier(a: EventRow, b: EventRow): boolean {
  return a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.id < b.id)
}

/** Microseconds since 1970 as text that Postgres reads. */
export function isoMicros(micros: number): string {
  const ms = Math.floor(micros / 1000)
  return `${new Date(ms).toISOString().slice(0, -1)}${String(micros - ms * 1000).padStart(3, '0')}Z`
}
