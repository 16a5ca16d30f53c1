import { randomBytes } from 'node:crypto'
import { RequestError } from '@platform-events/contracts'
import { inTransaction, type Pool, type PoolClient } from '@platform-events/postgres'
import type { FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { bearerOf } from '../caller.ts'
import type { MADE_SESSION, NEW_SESSION, SESSION } from './shapes.ts'

/** What a request tells of the guest besides what they typed. */
interface GuestBrowser {
  /** sha256 of what only the browser knows. */
  device: string
  /** Of an earlier session, if the request carries one. */
  earlierToken: string | undefined
}

/**
 * Makes a guest session of 24 hours and ends the earlier ones of this browser for the same email. What it does and how long it takes
 * does not depend on whether others have used the email: only rows with this browser's device are looked at, by an index.
 *
 * An email is no proof, and on a shared computer neither is the device: the bookings of an earlier session come along only where the request
 * has its live token. That is also proof enough to end it where the browser keeps no cookies.
 */
export async function makeGuestSession(
  pool: Pool,
  guest: z.output<typeof NEW_SESSION>,
  { device, earlierToken }: GuestBrowser,
): Promise<z.output<typeof MADE_SESSION>> {
  return await inTransaction(pool, async (client) => {
    // Two requests of one browser at once would else both end the earlier session and both stay live.
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`guest ${device} ${guest.email}`])
    const earlier = await earlierSession(client, guest.email, earlierToken)
    const tracked = await trackedSession(client, guest.analytics_session_id, earlier)
    await client.query(END_EARLIER, [guest.email, device])
    const { rows } = await client.query(
      `insert into public.guest_sessions (session_token, email, full_name, phone, metadata) values ($1, $2, $3, $4, $5)
       returning session_token, ${COLUMNS}`,
      [
        randomBytes(32).toString('base64url'),
        guest.email,
        guest.full_name,
        guest.phone,
        { device, ...(tracked === undefined ? {} : { analytics_session_id: tracked }) },
      ],
    )
    if (earlier !== undefined) await replace(client, earlier.id, rows[0].id)
    return rows[0]
  })
}

/** Ends what this browser ($2) had for an email ($1). */
export const END_EARLIER = `update public.guest_sessions set expires_at = now()
  where email = lower($1) and metadata ->> 'device' = $2 and expires_at > now()`

interface EarlierSession {
  id: string
  tracked: string | null
}

/** The live session of this token and email. Locked, so that a booking under way for it is there before it is replaced, or follows it. */
async function earlierSession(
  client: PoolClient,
  email: string,
  token: string | undefined,
): Promise<EarlierSession | undefined> {
  if (token === undefined) return undefined
  const { rows } = await client.query<EarlierSession>(
    `select id, metadata ->> 'analytics_session_id' as tracked from public.guest_sessions
     where session_token = $1 and email = lower($2) and expires_at > now() and (metadata ?| '{moved_to,converted_to_user_id}') is not true
     for update`,
    [token, email],
  )
  return rows[0]
}

/** Which session of the analytics the new one has: the one asked for, unless it is another's; else the one of the session before. */
async function trackedSession(
  client: PoolClient,
  asked: string | undefined,
  earlier: EarlierSession | undefined,
): Promise<string | undefined> {
  if (asked !== undefined) {
    // Two who name the same at once: one of them has it.
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`guest analytics ${asked}`])
    const { rows } = await client.query<{ free: boolean }>(
      'select marketplace_internal.is_free_analytics_session($1, $2) as free',
      [asked, earlier?.id ?? null],
    )
    if (rows[0]!.free) return asked
  }
  return earlier?.tracked ?? undefined
}

async function replace(client: PoolClient, earlier: string, by: string): Promise<void> {
  await client.query(
    `update public.guest_sessions set expires_at = least(expires_at, now()), metadata = coalesce(metadata, '{}') || jsonb_build_object('moved_to', $2::text)
     where id = $1`,
    [earlier, by],
  )
  await client.query(
    'update public.bookings set guest_session_id = $2 where guest_session_id = $1 and customer_id is null',
    [earlier, by],
  )
}

const COLUMNS = `id, email, full_name, phone, to_json(expires_at) #>> '{}' as expires_at`

/**
 * The live session whose token a request has.
 *
 * @throws RequestError guest_session_required, the same for a token that is absent, unknown, expired or converted
 */
export async function guestSessionOf(pool: Pool, request: FastifyRequest): Promise<z.output<typeof SESSION>> {
  const { rows } = await pool.query(`select ${COLUMNS} from marketplace_internal.live_guest_session($1)`, [
    guestTokenOf(request) ?? null,
  ])
  if (rows[0] === undefined)
    throw new RequestError('guest_session_required', 'This request carries no token of a live guest session.')
  return rows[0]
}

/**
 * The guest's token: `x-guest-session-token`, else what stands behind `Authorization: Bearer`. In this order, because supabase-js sends an
 * Authorization of its own with every request.
 */
export function guestTokenOf(request: FastifyRequest): string | undefined {
  const header = request.headers['x-guest-session-token']
  return (typeof header === 'string' && header.trim()) || bearerOf(request)
}
