import type { ConsumedRecord, TopicPartition } from './event-log.ts'

/** What is to be read of a log, once, and by somebody who is no consumer: it is not moved, made or locked. */
export interface LogReading {
  /** Where to begin in a topic partition; null, or outside the log: at its start. */
  from(topicPartition: TopicPartition): number | null
  /** Takes a record; those of a topic partition come in their order. */
  onRecord(record: ConsumedRecord, topicPartition: TopicPartition): void
  signal: AbortSignal
}

/** The part of a topic partition that was read. */
export interface ReadTopicPartition {
  topicPartition: TopicPartition
  /** The oldest offset in the log; what lies between a stored offset and it is lost. */
  first: number
  /** The offset behind the last record read: the log's end when the reading began. */
  end: number
}
