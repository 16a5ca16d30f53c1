import { RequestError } from '@platform-events/contracts'
import { type PoolClient, sqlstateOf } from '@platform-events/postgres'
import type { Logger } from '@platform-events/runtime'
import type { z } from 'zod'
import type { RECEIPT } from './shapes.ts'

const FORGET = `
select receipt_id, to_json(forgotten_at) as forgotten_at, places from marketplace_internal.forget_account($1)`

/** The function's own SQLSTATE for: something of the platform's keeps the person, nothing was done. */
const KEPT = 'PE423'

/**
 * Deletes a user and everything of theirs. Again, it finds nothing, and says so.
 *
 * @throws RequestError account_kept where a table of the platform's keeps the user; the log has which, and what mends it
 */
export async function forgetAccount(
  client: PoolClient,
  userId: string,
  { logger, requestId }: { logger: Pick<Logger, 'error'>; requestId: string },
): Promise<z.output<typeof RECEIPT>> {
  try {
    const { rows } = await client.query<z.output<typeof RECEIPT>>(FORGET, [userId])
    return rows[0]!
  } catch (error) {
    if (sqlstateOf(error) !== KEPT) throw error
    const { schema, table, column, constraint, message, hint } = error as Record<string, string | undefined>
    logger.error(
      { table: `${schema}.${table}`, column, constraint, hint, reqId: requestId },
      `an account cannot be deleted: ${message}`,
    )
    throw new RequestError('account_kept', 'Your account cannot be deleted yet, and nothing of it was.', {
      cause: error,
    })
  }
}
