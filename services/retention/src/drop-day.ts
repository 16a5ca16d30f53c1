import { type Day, leafName } from './day.ts'
import { listPartitions } from './partitions.ts'
import { dropSegment } from './segments-to-build.ts'
import type { RetentionSession } from './session.ts'

/** Waiting here blocks nobody: DETACH CONCURRENTLY holds no lock that a writer wants. */
const DETACH_LOCK_TIMEOUT_MS = 60_000
/** The table is detached by then, so that only those who still read it stand in the way. */
const DROP_LOCK_TIMEOUT_MS = 2000

/**
 * Removes a day and its rows: DETACH CONCURRENTLY, then DROP, beside writers and readers (a plain DROP of the attached
 * partition made the next writer wait for every older transaction; a DELETE of the day wrote 819 MB of WAL).
 * It starts from whatever state an earlier try, or its kill, left. The segment goes first: readers of an older one keep the table locked.
 */
export async function dropDay(session: RetentionSession, day: Day): Promise<void> {
  await dropSegment(session, day)
  const state = (await listPartitions(session.client)).find((partition) => partition.day === day)?.state
  const detach = `alter table public.platform_events detach partition ${leafName(day)}`
  if (state === 'attached') await session.run(`${detach} concurrently`, DETACH_LOCK_TIMEOUT_MS)
  // DROP alone would do, but under an exclusive lock on the parent, which every writer would wait for.
  if (state === 'pending') await session.run(`${detach} finalize`, DETACH_LOCK_TIMEOUT_MS)
  if (state !== undefined) await session.run(`drop table ${leafName(day)}`, DROP_LOCK_TIMEOUT_MS)
  await session.client.query(`delete from events_internal.closed_days where day = $1::date`, [day])
}
