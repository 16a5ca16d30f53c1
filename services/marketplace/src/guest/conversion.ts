import { RequestError, type RequestErrorCode } from '@platform-events/contracts'
import { inTransaction, type Pool, sqlstateOf } from '@platform-events/postgres'

/**
 * Gives a guest's bookings and analytics to a user. The database demands the proofs itself, as it does from browsers: the claims say who
 * asks, the header carries the token.
 *
 * @returns how many bookings the account has from the guest; the same when asked again
 * @throws RequestError guest_session_required (unknown, expired), already_converted (to another account), sign_in_required (the account is gone),
 *   customer_required (the platform's bookings refer to customers, and the user is none yet)
 */
export async function convertGuest(pool: Pool, userId: string, sessionToken: string): Promise<number> {
  try {
    return await inTransaction(pool, async (client) => {
      await client.query(`select set_config('request.jwt.claims', $1, true), set_config('request.headers', $2, true)`, [
        JSON.stringify({ sub: userId, role: 'authenticated' }),
        JSON.stringify({ 'x-guest-session-token': sessionToken }),
      ])
      const { rows } = await client.query<{ bookings: number }>(
        `select marketplace_internal.convert_guest_to_user('authenticated',
           (select id from public.guest_sessions where session_token = $1), $2) as bookings`,
        [sessionToken, userId],
      )
      return rows[0]!.bookings
    })
  } catch (error) {
    const refusal = REFUSALS[sqlstateOf(error) ?? '']
    if (refusal !== undefined) throw new RequestError(...refusal, { cause: error })
    if (isOfUsers(error)) throw new RequestError('sign_in_required', 'The platform has no such user.', { cause: error })
    throw error
  }
}

/** The function's own SQLSTATEs. */
const REFUSALS: Record<string, [RequestErrorCode, string]> = {
  PE401: ['guest_session_required', 'This is no token of a live guest session.'],
  PE409: ['already_converted', 'Another account has this guest session.'],
  PE422: ['customer_required', 'The platform has no customer of this user.'],
}

/** A foreign key's violation that is about auth.users, and none of a table of the platform's. */
function isOfUsers(error: unknown): boolean {
  const { schema, table } = error as { schema?: string; table?: string }
  return sqlstateOf(error) === '23503' && schema === 'auth' && table === 'users'
}
