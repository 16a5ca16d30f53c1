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
