import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka } from 'kafkajs'
import { LogUnavailableError, type RecordBatch, type TopicPartition } from './event-log.ts'
import { createKafka, type KafkaConnection } from './kafka-client.ts'
import { consumeFromKafka } from './kafka-consumption.ts'
import { KafkaTopic } from './kafka-topic.ts'
import { DEFAULT_MAX_EVENTS } from './local-consumption.ts'
import type { LogReading, ReadTopicPartition } from './log-reading.ts'

/** Longer than a broker waits for more members of a new group, and than a leader is away for in an election. */
const SILENCE_MS = 30_000

/**
 * Reads a topic by a consumer group that nobody else has and that is deleted after, up to the end that the topic has now.
 *
 * @throws LogUnavailableError when Kafka is not reached, has no such topic, or goes silent
 */
export async function readKafkaLog(
  options: KafkaConnection & { topic: string },
  reading: LogReading,
): Promise<ReadTopicPartition[]> {
  const kafka = createKafka(options)
  const topic = new KafkaTopic(kafka, options.topic, options.logger)
  try {
    await topic.openExisting()
    const marks = [...(await topic.watermarks())].sort(([one], [other]) => one - other)
    const parts = marks.map(([partition, { low, high }]) => {
      const topicPartition = topic.topicPartition(partition)
      const wanted = reading.from(topicPartition) ?? low
      return { topicPartition, first: low, end: high, at: wanted < low || wanted > high ? low : wanted }
    })
    if (parts.some(({ at, end }) => at < end)) await readParts(kafka, topic, parts, options, reading)
    return parts.map(({ topicPartition, first, end }) => ({ topicPartition, first, end }))
  } catch (cause) {
    if (reading.signal.aborted || cause instanceof LogUnavailableError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new LogUnavailableError(`Kafka at ${options.brokers.join(', ')}: ${reason}`, { cause })
  } finally {
    await topic.close()
  }
}

interface Part extends ReadTopicPartition {
  /** The next offset. */
  at: number
}

async function readParts(
  kafka: Kafka,
  topic: KafkaTopic,
  parts: Part[],
  { logger }: KafkaConnection,
  { onRecord, signal }: LogReading,
): Promise<void> {
  const group = `platform-events-reading-${randomUUID()}`
  let progressAt = performance.now()
  const consume = {
    group,
    from: async ({ partition }: TopicPartition) => parts[partition]?.at ?? null,
    async onBatch({ topicPartition, records, nextOffset }: RecordBatch) {
      const part = parts[topicPartition.partition]
      // Another topic of its name: what was read says nothing of it.
      if (part === undefined || part.topicPartition.logId !== topicPartition.logId) return nextOffset
      progressAt = performance.now()
      // After the consumer was built anew, some come again.
      for (const record of records)
        if (record.offset >= part.at && record.offset < part.end) onRecord(record, part.topicPartition)
      part.at = Math.max(part.at, nextOffset)
      return nextOffset
    },
  }
  const session = { kafka, topic, partitions: parts.length, consume, maxEvents: DEFAULT_MAX_EVENTS, logger }
  const consumption = consumeFromKafka(session, 0)
  try {
    while (parts.some(({ at, end }) => at < end)) {
      signal.throwIfAborted()
      if (performance.now() - progressAt > SILENCE_MS)
        throw new LogUnavailableError(`Kafka: topic ${topic.name} was not read to its end`)
      await sleep(20)
    }
  } finally {
    await consumption.stop()
    await topic.deleteGroup(group).catch((err: unknown) => logger.debug({ err, group }, 'group not deleted'))
  }
}
