import type { EventLog } from '@platform-events/event-log'
import type { HealthCheck } from '@platform-events/runtime'

/** A failure older than this says nothing any more: were it to count for ever, nobody would send what could end it. */
const REMEMBERED_MS = 10_000

/** A log that remembers how its last append went, for /readyz. */
export function watchedLog(
  log: Pick<EventLog, 'append'>,
  now: () => number = Date.now,
): Pick<EventLog, 'append'> & { check: HealthCheck } {
  let failure: { atMs: number; message: string } | null = null
  return {
    async append(records) {
      try {
        await log.append(records)
        failure = null
      } catch (error) {
        failure = { atMs: now(), message: error instanceof Error ? error.message : String(error) }
        throw error
      }
    },
    check: () =>
      failure === null || now() - failure.atMs > REMEMBERED_MS ? { ok: true } : { ok: false, detail: failure.message },
  }
}
