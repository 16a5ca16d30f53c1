import { randomBytes } from 'node:crypto'
import { RequestError } from '@platform-events/contracts'
import { inTransaction, type Pool } from '@platform-events/postgres'
import type { FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { bearerOf } from '../caller.ts'
import type { MADE_SESSION, NEW_SESSION, SESSION } from './shapes.ts'

/**
 * Makes a guest session of 24 hours and ends the earlier ones of this browser for the same email. What it does and how long it takes
 * does not depend on whether others have used the email: only rows with this browser's device are looked at, by an index.
 *
 * @param device sha256 of what only the browser knows
 */
export async function makeGuestSession(
  pool: Pool,
  guest: z.output<typeof NEW_SESSION>,
  device: string,
): Promise<z.output<typeof MADE_SESSION>> {
  const metadata = {
    device,
    ...(guest.analytics_session_id === undefined ? {} : { analytics_session_id: guest.analytics_session_id }),
  }
  return await inTransaction(pool, async (client) => {
    // Two requests of one browser at once would else both end the earlier session and both stay live.
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`guest ${device} ${guest.email}`])
    await client.query(END_EARLIER, [guest.email, device])
    const { rows } = await client.query(
      `insert into public.guest_sessions (session_token, email, full_name, phone, metadata) values ($1, $2, $3, $4, $5)
       returning session_token, ${COLUMNS}`,
      [randomBytes(32).toString('base64url'), guest.email, guest.full_name, guest.phone, metadata],
    )
    return rows[0]
  })
}

/** Ends what this browser ($2) had for an email ($1). */
export const END_EARLIER = `update public.guest_sessions set expires_at = now()
  where email = $1 and metadata ->> 'device' = $2 and expires_at > now()`

const COLUMNS = `id, email, full_name, phone, to_json(expires_at) #>> '{}' as expires_at`

/**
 * The live session whose token a request has, as `Authorization: Bearer` or as `x-guest-session-token`.
 *
 * @throws RequestError guest_session_required, the same for a token that is absent, unknown, expired or converted
 */
export async function guestSessionOf(pool: Pool, request: FastifyRequest): Promise<z.output<typeof SESSION>> {
  const header = request.headers['x-guest-session-token']
  const token = bearerOf(request) ?? (typeof header === 'string' ? header : undefined)
  const { rows } = await pool.query(`select ${COLUMNS} from marketplace_internal.live_guest_session($1)`, [
    token ?? null,
  ])
  if (rows[0] === undefined)
    throw new RequestError('guest_session_required', 'This request carries no token of a live guest session.')
  return rows[0]
}
