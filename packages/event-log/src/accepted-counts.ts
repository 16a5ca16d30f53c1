import { randomUUID } from 'node:crypto'
import type { LogRecord } from './event-log.ts'

/** How many events of a source one collector has accepted on a UTC day. */
export interface AcceptedCount {
  collector_id: string
  source_id: number
  /** YYYY-MM-DD, of `received_at`. */
  day: string
  accepted: number
}

/**
 * Numbers the events that a collector accepts, by source and UTC day, and writes into each record the number that it reaches. So the
 * count lies in the log with the events: no kill parts the two, and whoever reads a record knows how many must have come before.
 *
 * Invariant: within one `collector_id`, whoever sees `accepted_before` knows that all events up to it are durable. Records are therefore
 * numbered when their group is written, one group at a time. Of a group that is under way some may be durable and others never: Kafka
 * takes it in parts. A group that is certainly not durable gives its numbers back (`undo`), and after one of which nobody knows whether
 * it is, the counting begins anew under another id (`renew`).
 */
export class AcceptedCounts {
  #collectorId: string = randomUUID()
  #reached = new Map<string, number>()
  #news = new Map<string, AcceptedCount>()

  number(records: LogRecord[]): void {
    const before = new Map<string, number>()
    for (const { headers } of records) {
      const key = `${headers.source_id} ${dayOf(headers.received_at)}`
      const reached = this.#reached.get(key) ?? 0
      if (!before.has(key)) before.set(key, reached)
      this.#reached.set(key, reached + headers.events)
      headers.collector_id = this.#collectorId
      headers.accepted = reached + headers.events
      headers.accepted_before = before.get(key)!
    }
  }

  undo(records: LogRecord[]): void {
    for (const { headers } of records) {
      const key = `${headers.source_id} ${dayOf(headers.received_at)}`
      this.#reached.set(key, (this.#reached.get(key) ?? 0) - headers.events)
    }
  }

  renew(): void {
    this.#collectorId = randomUUID()
    this.#reached = new Map()
  }

  /** What these records reach is durable; also of records that an earlier process numbered. */
  acknowledge(records: LogRecord[]): void {
    for (const { headers } of records) {
      const { collector_id, source_id, accepted } = headers
      if (collector_id === undefined || accepted === undefined) continue
      const day = dayOf(headers.received_at)
      this.#news.set(`${collector_id} ${source_id} ${day}`, { collector_id, source_id, day, accepted })
    }
  }

  /** The counts that were acknowledged since the last call. */
  takeNews(): AcceptedCount[] {
    const news = [...this.#news.values()]
    this.#news.clear()
    return news
  }
}

function dayOf(receivedAt: string): string {
  return receivedAt.slice(0, 10)
}
