import { BEGIN_READING } from '@platform-events/analytics'
import type { Pool, PoolClient } from '@platform-events/postgres'
import { readOnly } from './read-only.ts'

/** Longer than a day's partition takes to be detached, and than a segment to be put in place. */
const LOCK_TIMEOUT_MS = 5000

/**
 * Runs queries that all see one and the same state. The lock comes before the snapshot, so that no day is dropped, with its segment or
 * without, between the two. When the signal is aborted, the statement that runs is cancelled in Postgres, too.
 *
 * @throws as `readOnly`; the signal's reason, once it is aborted
 */
export async function inSnapshot<T>(
  pool: Pool,
  signal: AbortSignal,
  run: (client: PoolClient) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  return await readOnly(pool, async (client) => {
    await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}; ${BEGIN_READING}`)
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    return await cancelledBy(signal, pool, rows[0]!.pid, () => run(client))
  })
}

/** By the server's own process id: that of the connection would be a pooler's. */
async function cancelledBy<T>(signal: AbortSignal, pool: Pool, pid: number, run: () => Promise<T>): Promise<T> {
  let cancelled: Promise<unknown> | undefined
  const cancel = (): void => {
    cancelled = pool.query('select pg_cancel_backend($1)', [pid]).catch(() => undefined)
  }
  signal.throwIfAborted()
  signal.addEventListener('abort', cancel)
  try {
    return await run()
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', cancel)
    // Later it would meet whoever has the connection next.
    await cancelled
  }
}
