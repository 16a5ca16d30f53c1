import type { Pool } from '@platform-events/postgres'

/** Who, and what they did when: a user's uuid, or a session's name; `at` in minutes since a common start. */
export interface Journey {
  user?: string
  session?: string
  events: [eventType: string, at: number, properties?: object][]
}

/** A common start: five days ago, so that its partitions exist, at a fixed hour. */
export const START = new Date(Math.floor(Date.now() / 86_400_000 - 5) * 86_400_000 + 9 * 3_600_000)

/** The time that many minutes after the start, ISO 8601 in UTC. */
export const minute = (at: number): string => new Date(START.getTime() + at * 60_000).toISOString()

/** Stores journeys by direct insert, in the order given: ids ascend with it, so that rows of one instant stand in this order. */
export async function storeJourneys(pool: Pool, ...journeys: Journey[]): Promise<void> {
  const rows = journeys.flatMap(({ user, session, events }) =>
    events.map(([eventType, at, properties]) => ({ user, session, eventType, at, properties })),
  )
  await pool.query(
    `insert into public.platform_events (id, event_type, user_id, session_id, properties, created_at)
     select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, r ->> 'eventType', (r ->> 'user')::uuid, r ->> 'session',
       coalesce(r -> 'properties', '{}'), $2::timestamptz + (r ->> 'at')::numeric * interval '1 minute'
     from jsonb_array_elements($1) with ordinality as u (r, n)`,
    [JSON.stringify(rows), START],
  )
}

/** A user's id with this last digit. */
export const user = (digit: number | string): string => `10000000-0000-4000-8000-00000000000${digit}`
