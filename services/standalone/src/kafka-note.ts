import { setTimeout as sleep } from 'node:timers/promises'
import type { CollectingLog } from '@platform-events/event-log'

/** Connecting takes a moment also where all is well. */
const WITHIN_MS = 5000

/** A sentence for the user when Kafka is not there at the start: nothing would be stored, and they would not know why. */
export async function kafkaNote(log: CollectingLog, stopping: AbortSignal): Promise<string[]> {
  const deadline = performance.now() + WITHIN_MS
  while (log.spool?.().away && !stopping.aborted && performance.now() < deadline) await sleep(50)
  const away = log.spool?.().away
  if (!away) return []
  return [
    `Kafka is not reached (${away.reason}). What is sent waits in the spool on this disk until it is; compare KAFKA_BROKERS with what runs.`,
  ]
}
