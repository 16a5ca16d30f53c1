import type { Pool } from '@platform-events/postgres'

/** The bookings of this guest session, and of no other; rows as the platform has them. */
export async function bookingsOfGuest(pool: Pool, guestSessionId: string): Promise<Record<string, unknown>[]> {
  // The platform's columns are its own: that there is a created_at is a hope.
  const { rows } = await pool.query<{ booking: Record<string, unknown> }>(
    `select to_jsonb(b) as booking from public.bookings b
     where b.customer_id is null and b.guest_session_id = $1
     order by to_jsonb(b) ->> 'created_at' desc nulls last limit 200`,
    [guestSessionId],
  )
  return rows.map(({ booking }) => booking)
}
