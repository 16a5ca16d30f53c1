import { randomUUID } from 'node:crypto'
import type { Pool } from '@platform-events/postgres'
import type { Caller } from './callers.ts'

export interface MadeGuest {
  id: string
  token: string
}

/** A guest session as the service's login makes it, and its secret. */
export async function makeGuest(pool: Pool, metadata: Record<string, string> = {}): Promise<MadeGuest> {
  const token = `tok-${randomUUID()}`
  const { rows } = await pool.query<{ id: string }>(
    `insert into public.guest_sessions (session_token, email, full_name, metadata) values ($1, 'ana@example.com', 'Ana', $2) returning id`,
    [token, metadata],
  )
  return { id: rows[0]!.id, token }
}

/** The session that bookings of forgotten people have. */
export async function makeNobody(pool: Pool): Promise<string> {
  const id = '00000000-0000-4000-8000-000000000000'
  await pool.query(
    `insert into public.guest_sessions (id, session_token, email, full_name, expires_at)
     values ($1, gen_random_uuid()::text, 'forgotten@example.invalid', 'Forgotten', '-infinity') on conflict do nothing`,
    [id],
  )
  return id
}

/** A booking of this guest. */
export async function bookAsGuest(pool: Pool, guest: MadeGuest): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(
    `insert into public.bookings (guest_session_id, service) values ($1, 'cleaning') returning id`,
    [guest.id],
  )
  return rows[0]!.id
}

/** A user of the platform. */
export async function makeUser(pool: Pool): Promise<string> {
  const id = randomUUID()
  await pool.query('insert into auth.users (id) values ($1)', [id])
  return id
}

/** A request that carries this token: of anon, or of a signed-in user. */
export function carrying(token: string, userId?: string): Caller {
  const headers = { 'x-guest-session-token': token }
  return userId === undefined ? { role: 'anon', headers } : { role: 'authenticated', userId, headers }
}
