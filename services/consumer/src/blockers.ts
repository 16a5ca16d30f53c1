import type { Pool, PoolClient } from '@platform-events/postgres'
import { sqlstateOf } from '@platform-events/postgres'

/**
 * What the sessions of all consumers are called while they load, wherever these run: one alone may follow on standalone, whose
 * pool has another name.
 */
export const LOADING = 'platform-events consumer'

// Sessions by this name only: somebody else's psql is not ours to end.
const FIND_BLOCKERS = `
  select pid, backend_start::text
  from pg_stat_activity
  where pid = any(pg_blocking_pids($1)) and application_name = $2`

const END_SESSIONS = `
  select pg_terminate_backend(activity.pid)
  from pg_stat_activity as activity
  join unnest($1::int[], $2::text[]) as blocker (pid, backend_start)
    on activity.pid = blocker.pid and activity.backend_start::text = blocker.backend_start`

interface Blocker {
  pid: number
  backend_start: string
}

/** The lock could not be had in time; the sessions of ours that held it have been ended, so it is worth trying again. */
export class FrozenPredecessorError extends Error {
  readonly ended: number

  constructor(ended: number, options: ErrorOptions) {
    super(`ended ${ended} sessions that held the offsets`, options)
    this.name = 'FrozenPredecessorError'
    this.ended = ended
  }
}

/**
 * Takes locks that a predecessor may hold. A client frozen inside COPY is freed by no timeout of Postgres (15 to 18: tried), so
 * when the lock timeout strikes, whichever of our own loads held the lock is ended. Who that was has to be asked while we wait.
 *
 * @param lockTimeoutMs what the transaction has set as its lock_timeout
 * @throws FrozenPredecessorError when sessions were ended; else what `takeLock` throws
 */
export async function endingFrozenPredecessors<T>(
  pool: Pool,
  client: PoolClient,
  lockTimeoutMs: number,
  takeLock: () => Promise<T>,
): Promise<T> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  let blockers: Promise<Blocker[]> = Promise.resolve([])
  const watch = setTimeout(() => {
    blockers = findBlockers(pool, rows[0]!.pid)
  }, lockTimeoutMs * 0.8)
  try {
    return await takeLock()
  } catch (error) {
    if (sqlstateOf(error) !== '55P03') throw error
    const found = await blockers
    if (found.length === 0) throw error
    await pool.query(END_SESSIONS, [found.map(({ pid }) => pid), found.map(({ backend_start }) => backend_start)])
    throw new FrozenPredecessorError(found.length, { cause: error })
  } finally {
    clearTimeout(watch)
  }
}

/** Without an answer nobody is ended: the next attempt asks again. */
async function findBlockers(pool: Pool, pid: number): Promise<Blocker[]> {
  try {
    const { rows } = await pool.query<Blocker>(FIND_BLOCKERS, [pid, LOADING])
    return rows
  } catch {
    return []
  }
}
