import type { Pool } from '@platform-events/postgres'
import { POLL_ROWS, selectRecent, selectRecentIds, type TailEvent, WINDOW_MS } from './tail-rows.ts'

/** Enough to remember all that a busy window holds, and little memory. */
const REMEMBERED_IDS = 50_000

/** What was shown already, and what is new. */
export interface TailPoller {
  /** Marks all that is stored by now as shown. */
  prime(): Promise<void>
  /** What was stored since; `more` where there was more than one poll shows. */
  poll(): Promise<{ events: TailEvent[]; more: boolean }>
}

/**
 * Finds new rows by their ids: rows become visible in the order of their commits, which no column tells, so a
 * watermark over received_at would lose those of a batch that commits late.
 */
export function createTailPoller(pool: Pool, clock: () => number): TailPoller {
  /** Id → created_at in milliseconds. */
  const shown = new Map<string, number>()

  function remember(id: string, createdAt: number): boolean {
    if (shown.has(id)) return false
    shown.set(id, createdAt)
    return true
  }

  function forget(nowMs: number): void {
    for (const [id, createdAt] of shown)
      if (createdAt < nowMs - WINDOW_MS || shown.size > REMEMBERED_IDS) shown.delete(id)
  }

  return {
    async prime() {
      for (const row of (await selectRecentIds(pool, clock(), REMEMBERED_IDS)).reverse())
        remember(row.id, row.created_at.getTime())
    },
    async poll() {
      const nowMs = clock()
      const rows = await selectRecent(pool, nowMs)
      const events = rows.filter((row) => remember(row.id, Date.parse(row.created_at)))
      forget(nowMs)
      return { events, more: events.length === POLL_ROWS }
    },
  }
}
