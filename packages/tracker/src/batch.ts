import type { QueuedEvent } from './event-queue.ts'

/** The oldest events that go together: within both limits (one event always does), stamped by one clock. */
export function firstBatch(events: QueuedEvent[], maxEvents: number, maxBytes: number): QueuedEvent[] {
  const batch: QueuedEvent[] = []
  let bytes = 0
  for (const event of events) {
    bytes += event.bytes + 1
    const fits = batch.length < maxEvents && bytes <= maxBytes && event.clockCorrection === batch[0]?.clockCorrection
    if (batch.length > 0 && !fits) break
    batch.push(event)
  }
  return batch
}
