import { inTime } from '@platform-events/runtime'
import type { AcceptedCounts } from './accepted-counts.ts'
import type { EventLog, LogRecord } from './event-log.ts'
import { isTooLarge } from './kafka-producer.ts'
import { sizeOf } from './kafka-record.ts'
import type { LocalLog } from './local.ts'
import type { SpoolStats } from './spooled.ts'

/** Records moved to Kafka at once: one request of the producer. */
export const REQUEST_BYTES = 900_000

/** What may lie drained, but not yet removed: a removal costs an fsync, a record drained again after a kill costs nothing. */
const UNTRIMMED_BYTES = 4 * 1024 * 1024

/**
 * What waits on this disk for Kafka, oldest first, and its way there. Each record leaves as it came: key, bytes and headers, so that
 * the consumer decides about its events as if they had never waited.
 *
 * Invariant: a record is removed only after Kafka has it, so `firstOffset` of the local log is the offset drained up to, and a kill
 * at any moment repeats records but skips none.
 */
export class Spool {
  readonly #local: LocalLog
  readonly #kafka: Pick<EventLog, 'append'>
  #next: number
  #waitingBytes = 0
  #untrimmedBytes = 0
  #events = 0
  #drainedEvents = 0
  #oldest: string | null = null
  #closed = false

  private constructor(local: LocalLog, kafka: Pick<EventLog, 'append'>) {
    this.#local = local
    this.#kafka = kafka
    this.#next = local.stats().firstOffset
  }

  /** Takes over what an earlier process left, and accepted. */
  static async open(local: LocalLog, kafka: Pick<EventLog, 'append'>, accepted: AcceptedCounts): Promise<Spool> {
    const spool = new Spool(local, kafka)
    for (let at = spool.#next; at < local.stats().endOffset; ) {
      const records = local.read(at, UNTRIMMED_BYTES)
      if (records.length === 0) break
      spool.#oldest ??= records[0]!.headers.received_at
      spool.#count(records)
      accepted.acknowledge(records)
      at = records.at(-1)!.offset + 1
      await new Promise(setImmediate)
    }
    return spool
  }

  get empty(): boolean {
    return this.#next >= this.#local.stats().endOffset
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** When the oldest record that an earlier process left was received; ISO 8601. */
  get oldest(): string | null {
    return this.#oldest
  }

  stats(): Omit<SpoolStats, 'away'> {
    const { logId: id, bytes, maxBytes } = this.#local.stats()
    return { id, events: this.#events, bytes, maxBytes, drainedEvents: this.#drainedEvents }
  }

  /** @throws LogUnavailableError when the spool is full, or the disk takes nothing */
  async append(records: LogRecord[]): Promise<void> {
    await this.#local.append(records)
    this.#count(records)
  }

  /**
   * Moves the oldest records to Kafka, as many as one request holds. One call at a time.
   *
   * @throws when Kafka has not taken them in time; they are still here then
   */
  async drainSome(withinMs: number): Promise<void> {
    const records = firstOf(this.#local.read(this.#next, REQUEST_BYTES), REQUEST_BYTES)
    if (records.length === 0) return
    await inTime(this.#send(records), withinMs, 'Kafka')
    if (this.#closed) return
    this.#next = records.at(-1)!.offset + 1
    const bytes = bytesOf(records)
    const events = eventsOf(records)
    this.#untrimmedBytes += bytes
    this.#waitingBytes = this.empty ? 0 : this.#waitingBytes - bytes
    this.#events = this.empty ? 0 : this.#events - events
    this.#drainedEvents += events
    if (this.empty || this.#untrimmedBytes >= UNTRIMMED_BYTES) await this.#trim()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#local.close()
  }

  /** A topic may allow less than the producer sends, and what was acknowledged must not block the way for ever: then in halves, in order. */
  async #send(records: LogRecord[]): Promise<void> {
    try {
      await this.#kafka.append(records)
    } catch (error) {
      const halves = isTooLarge(error) ? halvesOf(records) : null
      if (halves === null) throw error
      for (const half of halves) await this.#send(half)
    }
  }

  #count(records: LogRecord[]): void {
    this.#waitingBytes += bytesOf(records)
    this.#events += eventsOf(records)
  }

  /** A disk that fails holds up nobody: what could not be removed now goes with the next removal, or is drained again after a restart. */
  async #trim(): Promise<void> {
    const everything = new Date(8.64e15)
    await this.#local.trim({ storedOffset: this.#next, olderThan: everything }).then(
      () => {
        this.#untrimmedBytes = 0
      },
      () => undefined,
    )
  }
}

/** As many of the first as take so many bytes in Kafka, at least one. */
function firstOf<Record extends LogRecord>(records: Record[], maxBytes: number): Record[] {
  let bytes = 0
  const end = records.findIndex((record, index) => {
    bytes += sizeOf(record)
    return index > 0 && bytes > maxBytes
  })
  return end === -1 ? records : records.slice(0, end)
}

/** Half of the records, or a record's lines as two records; null: a single event. */
function halvesOf(records: LogRecord[]): [LogRecord[], LogRecord[]] | null {
  const [{ key, value, headers }] = records as [LogRecord]
  if (records.length > 1) {
    const middle = Math.ceil(records.length / 2)
    return [records.slice(0, middle), records.slice(middle)]
  }
  const lines = value.toString().match(/.*\n/g) ?? []
  if (lines.length < 2) return null
  const middle = Math.ceil(lines.length / 2)
  const part = (some: string[], behind: number): LogRecord[] => {
    const accepted = headers.accepted === undefined ? {} : { accepted: headers.accepted - behind }
    return [{ key, value: Buffer.from(some.join('')), headers: { ...headers, ...accepted, events: some.length } }]
  }
  return [part(lines.slice(0, middle), lines.length - middle), part(lines.slice(middle), 0)]
}

function bytesOf(records: LogRecord[]): number {
  return records.reduce((sum, record) => sum + sizeOf(record), 0)
}

function eventsOf(records: LogRecord[]): number {
  return records.reduce((sum, { headers }) => sum + headers.events, 0)
}
