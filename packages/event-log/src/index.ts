export type { AcceptedCount, AcceptedCounts } from './accepted-counts.ts'
export type { DeadLetterMessage, DeadLetterTopic } from './dead-letter-topic.ts'
export {
  type ConsumedRecord,
  type ConsumeOptions,
  type Consumption,
  type EventLog,
  type LogRecord,
  LogUnavailableError,
  type RecordBatch,
  type RecordHeaders,
  type TopicPartition,
  type TopicPartitionLag,
} from './event-log.ts'
export { type KafkaLogOptions, openKafkaLog } from './kafka.ts'
export { type LocalLog, type LocalLogOptions, type LocalLogStats, openLocalLog } from './local.ts'
export type { TrimOptions } from './local-trim.ts'
export type { LogReading, ReadTopicPartition } from './log-reading.ts'
export {
  type CollectingLog,
  type EventLogSettings,
  openCollectingLog,
  openConsumedLog,
  openDeadLetterTopic,
  openEventLog,
  readEventLog,
} from './open.ts'
export type { SpoolStats } from './spooled.ts'
