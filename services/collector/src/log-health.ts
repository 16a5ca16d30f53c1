import type { CollectingLog, EventLog, SpoolStats } from '@platform-events/event-log'
import type { HealthCheck, PartHealth } from '@platform-events/runtime'

/** A failure older than this says nothing any more: were it to count for ever, nobody would send what could end it. */
const REMEMBERED_MS = 10_000

/** A log that remembers how its last append went, for /readyz. While it takes events into its spool it is ready, but degraded. */
export function watchedLog(
  log: Pick<CollectingLog, 'append' | 'spool'>,
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
    check() {
      const spool = log.spool?.()
      if (failure !== null && now() - failure.atMs <= REMEMBERED_MS) return { ok: false, detail: failure.message }
      return spool === undefined ? { ok: true } : healthOf(spool)
    },
  }
}

function healthOf({ away, events, bytes, maxBytes }: SpoolStats): PartHealth {
  if (away === null) return { ok: true }
  const spooled = `${events} events, ${bytes} of ${maxBytes} bytes in the spool`
  return {
    ok: true,
    degraded: true,
    detail: `Kafka is away since ${away.since.toISOString()}: ${spooled}; ${away.reason}`,
  }
}
