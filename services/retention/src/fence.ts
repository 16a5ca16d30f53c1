import { setTimeout as sleep } from 'node:timers/promises'
import type { PoolClient } from '@platform-events/postgres'

const POLL_MS = 10

/** Somebody has been writing in one transaction for longer than a build waits: no other day can be built, either. */
export class FenceError extends Error {}

/**
 * Waits until every transaction that had an id when this was called has ended: those who wrote before, and looked before.
 *
 * @throws FenceError when one of them goes on for longer than `timeoutMs`, and the signal's reason when that aborts
 */
export async function passFence(client: PoolClient, timeoutMs: number, signal: AbortSignal): Promise<void> {
  // A transaction of its own. Not pg_snapshot_xmax, which is one above the last that ended: one that runs may have that id.
  const { rows } = await client.query<{ y: string }>('select pg_current_xact_id()::text as y')
  const startedAt = performance.now()
  for (;;) {
    const { rows: answer } = await client.query<{ ended: boolean }>(
      'select events_internal.ended_before($1::xid8) as ended',
      [rows[0]!.y],
    )
    if (answer[0]!.ended) return
    signal.throwIfAborted()
    if (performance.now() - startedAt > timeoutMs)
      throw new FenceError(
        `a transaction that writes has been open for more than ${Math.round(timeoutMs / 1000)} s (pg_stat_activity, pg_prepared_xacts)`,
      )
    await sleep(POLL_MS)
  }
}
