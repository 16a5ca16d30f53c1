import { randomUUID } from 'node:crypto'
import { RequestError } from '@platform-events/contracts'
import { inTransaction, type Pool, sqlstateOf } from '@platform-events/postgres'
import type { Monitoring } from './shapes.ts'

/** No such function, no such schema. */
const NOT_MIGRATED = ['42883', '3F000']

/** Those of the module's tables that signed-in users read. */
const SECURED = ['public.amara_conversations', 'public.amara_messages', 'public.guest_sessions', 'public.bookings']

/**
 * All figures at this moment.
 *
 * @param timeoutMs of each statement
 * @throws RequestError not_found where 0009_monitoring.sql is not applied
 */
export async function readMonitoring(pool: Pool, timeoutMs: number): Promise<Monitoring> {
  return await inTransaction(
    pool,
    async (client) => {
      const { rows } = await client.query<{ all: Monitoring }>(
        'select marketplace_internal.monitoring(current_user) as all',
      )
      return rows[0]!.all
    },
    { readOnly: true, statementTimeoutMs: timeoutMs },
  ).catch((error: unknown) => {
    if (!NOT_MIGRATED.includes(sqlstateOf(error) ?? '')) throw error
    throw new RequestError('not_found', 'This database has no monitoring: 0009_monitoring.sql is not applied.', {
      cause: error,
    })
  })
}

/** What row level security costs a signed-in user who has no rows, who is the one that an unindexed policy keeps waiting. */
export async function readRowSecurityCost(
  pool: Pool,
  timeoutMs: number,
): Promise<NonNullable<Monitoring['row_security']>> {
  return await inTransaction(
    pool,
    async (client) => {
      const { rows } = await client.query<{ cost: NonNullable<Monitoring['row_security']>[number] }>(
        `select to_jsonb(c) as cost from unnest($1::text[]) t, marketplace_internal.row_security_cost(to_regclass(t), $2) c
         where to_regclass(t) is not null`,
        [SECURED, randomUUID()],
      )
      return rows.map(({ cost }) => cost)
    },
    { readOnly: true, statementTimeoutMs: timeoutMs },
  )
}
