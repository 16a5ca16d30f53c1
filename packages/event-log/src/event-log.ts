/**
 * The event log: where an accepted event lies before the consumer has stored it. One port, several adapters
 * (`kafka.ts`, `local.ts`); one contract test runs against each.
 */
export interface EventLog {
  /**
   * Appends records, keeping the order of records with one key. Resolves when they are durable (fsync, or
   * acks=all), and not before; then they survive a kill of everything.
   *
   * @throws LogUnavailableError when they could not be made durable; some of them may be in the log all the same
   */
  append(records: LogRecord[]): Promise<void>

  /** Delivers records to one consumer until it is stopped. */
  consume(options: ConsumeOptions): Promise<Consumption>

  /** How far each topic partition is ahead of the offsets given; null means nothing stored yet. */
  lag(next: (topicPartition: TopicPartition) => Promise<number | null>): Promise<TopicPartitionLag[]>

  close(): Promise<void>
}

/** The events of one request that share a key. */
export interface LogRecord {
  /** session_id, else user_id, else id: records of one key stay in order. */
  key: string
  /** NDJSON: a `LoggedEvent` a line, each line ended by \n. */
  value: Buffer
  headers: RecordHeaders
}

/** What holds for the whole request. */
export interface RecordHeaders {
  schema: '1'
  source_id: number
  /** UUID of the request. */
  batch_id: string
  /** ISO 8601 UTC, milliseconds. */
  received_at: string
  /** Lines in the value. */
  events: number
  /** UUID of the collector that numbered it; absent where somebody else wrote it. */
  collector_id?: string
  /** How many events of this source, on the UTC day of `received_at`, that collector had accepted with the last of this record. */
  accepted?: number
  /** How many of them were durable when this was written: `accepted` may be ahead of what a kill or a refusal left of its group. */
  accepted_before?: number
}

/** Names a sequence of records in which an offset means something. A log made anew has another `logId`. */
export interface TopicPartition {
  logId: string
  topic: string
  partition: number
}

export interface ConsumedRecord extends LogRecord {
  offset: number
}

/** Records of one topic partition in ascending order of offsets. */
export interface RecordBatch {
  topicPartition: TopicPartition
  /**
   * What `from`, or the last `onBatch` of this topic partition, resolved with. Compare this with the offset in the store, not the first
   * record's: after a loss, and in Kafka's gaps, the first record lies further on.
   */
  storedOffset: number | null
  /** Never empty. */
  records: ConsumedRecord[]
  /** Where the next batch begins. */
  nextOffset: number
  /** Aborted when the topic partition was lost, or when a stop has waited long enough: give up, nothing may be stored after. */
  signal: AbortSignal
}

export interface ConsumeOptions {
  /** Names the consumer group, where the log has such a thing. */
  group: string
  /** The stored next offset of a topic partition just assigned; null: nothing stored, begin at the start of the log. */
  from(topicPartition: TopicPartition): Promise<number | null>
  /**
   * Takes a batch. Resolves with the offset to go on from: `nextOffset` when it is stored, or another stored offset when
   * somebody else got ahead (fenced). The next batch of this topic partition is not delivered before. Several topic
   * partitions are delivered at once. Should it reject, the same records are delivered again after a pause.
   */
  onBatch(batch: RecordBatch): Promise<number>
  /**
   * A stored offset points outside the log: what lies between is lost, or was never here. Delivery goes on at `resumedAt`, the
   * start of the log, when this has resolved: what is left is delivered again rather than skipped, and told by the events' ids.
   * Then `from` is asked once more, so this may move the stored offset there. Should it reject, it is called again after a pause.
   */
  onLoss?(loss: { topicPartition: TopicPartition; stored: number; resumedAt: number }): Promise<void>
  /** At most this many events (lines) in a batch; at least one record is delivered all the same. */
  maxEvents?: number
}

export interface Consumption {
  /** Delivers nothing new, waits for the batches under way (2.5 s at most, then their signal aborts), leaves the group. */
  stop(): Promise<void>
}

export interface TopicPartitionLag {
  topicPartition: TopicPartition
  /** The next offset that an append will get. */
  end: number
  /** Records between the offset given and the end. */
  records: number
}

/** The log is full and was not written to: certainly nothing of it is there. The cause of a LogUnavailableError. */
export class LogFullError extends Error {}

/** The log took nothing, or cannot say whether it did. Safe to send again: events are deduplicated by id. */
export class LogUnavailableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LogUnavailableError'
  }
}
