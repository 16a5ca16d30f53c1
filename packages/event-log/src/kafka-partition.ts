import { Backoff, type Logger } from '@platform-events/runtime'
import type { EachBatchPayload, KafkaMessage } from 'kafkajs'
import type { ConsumeOptions, RecordBatch, TopicPartition } from './event-log.ts'
import { eventsOf, fromMessage } from './kafka-record.ts'
import type { Watermarks } from './kafka-topic.ts'

/** How long a log is believed to go on behind the end that it shows. */
const LOOK_AGAIN_MS = 3000

export interface PartitionOptions {
  topicPartition: TopicPartition
  consume: ConsumeOptions
  maxEvents: number
  logger: Logger
  /** The first and the next offset in Kafka, now. */
  watermarks(): Promise<Watermarks>
  /** Rejects when the topic was replaced by another one of its name. */
  confirmIdentity(): Promise<void>
  /** Has kafkajs fetch from there next. */
  seek(offset: number): void
}

/**
 * One topic partition from its assignment to its loss.
 *
 * Invariant: a batch goes to the handler only if it was fetched at `position`, the offset that the store said. kafkajs begins
 * where its group committed, jumps when an offset is out of range, and hands out batches that it fetched before a seek; each
 * such batch is answered with a seek and left unresolved.
 */
export class PartitionDelivery {
  readonly #options: PartitionOptions
  readonly #over = new AbortController()
  readonly #leaving = new AbortController()
  readonly #loaded: Promise<void>
  #stored: number | null = null
  #position = 0
  #busySince: number | null = performance.now()
  #running: Promise<void> = Promise.resolve()

  /** @param before the same topic partition in the last assignment, whose handler may still be at work */
  constructor(options: PartitionOptions, before: PartitionDelivery | undefined) {
    this.#options = options
    this.#loaded = this.#load(before)
    void this.#loaded.then(() => this.#idle())
  }

  /** Takes a batch from kafkajs; resolves when its records are stored, or were given up. Never rejects. */
  deliver(payload: EachBatchPayload): Promise<void> {
    this.#busySince ??= performance.now()
    this.#running = this.#deliver(payload)
      .catch((err: unknown) => {
        this.#options.logger.warn({ err, ...this.#options.topicPartition }, 'batch given up')
      })
      .then(() => this.#idle())
    return this.#running
  }

  /** The offset to be delivered next; and since when it is being set up or handled, by performance.now(), else null. */
  get state(): { position: number; busySince: number | null } {
    return { position: this.#position, busySince: this.#busySince }
  }

  #idle(): void {
    this.#busySince = null
  }

  /** Takes no new records; those under way go on. */
  leave(): void {
    this.#leaving.abort()
  }

  /** Lost: those under way must give up too. */
  abort(): void {
    this.#leaving.abort()
    this.#over.abort()
  }

  async settled(): Promise<void> {
    await this.#running
  }

  async #load(before: PartitionDelivery | undefined): Promise<void> {
    await before?.settled()
    const backoff = new Backoff(100, 5000)
    while (!this.#leaving.signal.aborted) {
      try {
        this.#stored = await this.#options.consume.from(this.#options.topicPartition)
        await this.#settle()
        return
      } catch (err) {
        // The consumer's own line says why, once for all topic partitions.
        this.#options.logger.debug({ err, ...this.#options.topicPartition }, 'stored offset not loaded')
        await backoff.pause(this.#leaving.signal)
      }
    }
  }

  /** Sets the position by the stored offset. Outside the log it is the log's start: see `onLoss`. */
  async #settle(): Promise<void> {
    const { topicPartition, consume, logger, seek } = this.#options
    let [stored, marks] = [this.#stored, await this.#options.watermarks()]
    if (isOutside(stored, marks)) marks = await this.#lookAgain(stored!)
    if (this.#leaving.signal.aborted) return
    if (isOutside(stored, marks)) {
      logger.warn({ ...topicPartition, stored, first: marks.low, end: marks.high }, 'stored offset outside the log')
      await consume.onLoss?.({ topicPartition, stored: stored!, resumedAt: marks.low })
      stored = this.#stored = await consume.from(topicPartition)
    }
    this.#position = stored === null || isOutside(stored, marks) ? marks.low : stored
    seek(this.#position)
  }

  /**
   * A loss is not said by one look: a shared one may be older than the stored offset, a leader just elected may not know yet how
   * far the log goes (KIP-207), and in a topic made anew the offset means nothing.
   */
  async #lookAgain(stored: number): Promise<Watermarks> {
    await this.#options.confirmIdentity()
    const deadline = performance.now() + LOOK_AGAIN_MS
    const backoff = new Backoff(100, 500)
    for (;;) {
      const marks = await this.#options.watermarks()
      if (stored <= marks.high || performance.now() > deadline || this.#leaving.signal.aborted) return marks
      await backoff.pause(this.#leaving.signal)
    }
  }

  async #deliver(payload: EachBatchPayload): Promise<void> {
    await this.#loaded
    if (this.#leaving.signal.aborted) return
    const { batch } = payload
    // Missing in the types of kafkajs. The first message's offset will not do: Kafka's offsets have gaps.
    const { fetchedOffset } = batch as typeof batch & { fetchedOffset: string }
    if (Number(fetchedOffset) !== this.#position) {
      await this.#settle()
      return
    }
    let from = 0
    while (from < batch.messages.length) {
      const to = this.#chunkEnd(batch.messages, from)
      const messages = batch.messages.slice(from, to)
      const nextOffset = Number(to === batch.messages.length ? batch.lastOffset() : messages.at(-1)!.offset) + 1
      if (!(await this.#store(messages, nextOffset))) return
      if (this.#stored !== nextOffset) {
        await this.#settle()
        return
      }
      this.#position = nextOffset
      payload.resolveOffset(messages.at(-1)!.offset)
      from = to
    }
    // For tools that show the lag; what counts lies in the store.
    const { topic, partition } = this.#options.topicPartition
    const offsets = [{ topic, partitions: [{ partition, offset: String(this.#position) }] }]
    await payload.commitOffsetsIfNecessary({ topics: offsets }).catch(() => undefined)
  }

  #chunkEnd(messages: KafkaMessage[], from: number): number {
    let events = eventsOf(messages[from]!)
    let to = from + 1
    while (to < messages.length) {
      events += eventsOf(messages[to]!)
      if (events > this.#options.maxEvents) break
      to += 1
    }
    return to
  }

  /** Until onBatch resolves; false when there is no more use in it. */
  async #store(messages: KafkaMessage[], nextOffset: number): Promise<boolean> {
    const { topicPartition, consume, logger } = this.#options
    const records = messages.map(fromMessage)
    const backoff = new Backoff(100, 5000)
    while (!this.#leaving.signal.aborted) {
      const batch: RecordBatch = {
        topicPartition,
        storedOffset: this.#stored,
        records,
        nextOffset,
        signal: this.#over.signal,
      }
      try {
        this.#stored = await consume.onBatch(batch)
        return !this.#over.signal.aborted
      } catch (err) {
        logger.warn(
          { err, ...topicPartition, firstOffset: records[0]!.offset },
          'batch not stored, it is delivered again',
        )
        await backoff.pause(this.#leaving.signal)
      }
    }
    return false
  }
}

function isOutside(stored: number | null, { low, high }: Watermarks): boolean {
  return stored !== null && (stored < low || stored > high)
}
