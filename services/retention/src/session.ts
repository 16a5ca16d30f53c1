import { type Pool, type PoolClient, sqlstateOf } from '@platform-events/postgres'

/** One connection that acts as the owner of the tables while it holds retention's lock. */
export interface RetentionSession {
  client: PoolClient
  /** The backend's process id, by which another connection can cancel what it does. */
  pid: number
  /**
   * Runs one statement outside of any transaction, as CONCURRENTLY and VACUUM want it.
   *
   * @param lockTimeoutMs how long it may wait for a lock, or for older transactions to end
   */
  run(sql: string, lockTimeoutMs: number): Promise<void>
  close(): Promise<void>
}

/** Any number will do, as long as nothing else takes a session lock on it; this is 'pe_retai' in ASCII. */
const LOCK_KEY = '8098984449828741481'

/**
 * Opens the session. Its settings and its lock go with the connection, which is never given back to the pool; behind a
 * pooler this wants session mode.
 *
 * @returns null where another retention process holds the lock
 */
export async function openSession(pool: Pool): Promise<RetentionSession | null> {
  const client = await pool.connect()
  try {
    await client.query(`set statement_timeout = 0`)
    await client.query(`set idle_in_transaction_session_timeout = 0`)
    // A table that a member of the owner makes belongs to the member, and breaks the owner's next ALTER of the parent.
    await client.query(`set role events_owner`)
    const { rows } = await client.query<{ locked: boolean; pid: number }>(
      `select pg_try_advisory_lock(${LOCK_KEY}) as locked, pg_backend_pid() as pid`,
    )
    if (rows[0]?.locked !== true) {
      client.release(true)
      return null
    }
    return {
      client,
      pid: rows[0].pid,
      async run(sql, lockTimeoutMs) {
        await client.query(`set lock_timeout = ${Math.trunc(lockTimeoutMs)}`)
        await client.query(sql)
      },
      async close() {
        // It would go with the backend, but a little after we are gone, and the next run might come in between.
        await client.query(`select pg_advisory_unlock(${LOCK_KEY})`).catch(() => undefined)
        client.release(true)
      },
    }
  } catch (error) {
    client.release(true)
    throw error
  }
}

const RETRYABLE = new Set(['55P03', '40P01', '40001'])

/** Tries again where a lock was not to be had in time, with growing pauses. */
export async function withRetries<T>(work: () => Promise<T>, signal: AbortSignal, tries = 5): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === tries || signal.aborted || !RETRYABLE.has(sqlstateOf(error) ?? '')) throw error
      await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt))
    }
  }
}
