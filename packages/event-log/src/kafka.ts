import { type Consumption, type EventLog, LogUnavailableError } from './event-log.ts'
import { createKafka, type KafkaConnection } from './kafka-client.ts'
import { consumeFromKafka } from './kafka-consumption.ts'
import { KafkaAppender } from './kafka-producer.ts'
import { KafkaTopic, type Watermarks } from './kafka-topic.ts'
import { DEFAULT_MAX_EVENTS, STOP_GRACE_MS } from './local-consumption.ts'

export const DEFAULT_TOPIC = 'platform.events.v1'

export interface KafkaLogOptions extends KafkaConnection {
  /** Default `platform.events.v1`. */
  topic?: string
  /** Topic partitions of a topic that is made because it is absent. Default 6. */
  partitions?: number
  /** How often a consumption looks whether the topic is still the same, and each topic partition is fetched. Default 10 s. */
  lookMs?: number
}

/**
 * The event log in Kafka. The topic is made where it is absent, with min(3, brokers) replicas; appends ask for all in-sync
 * replicas. `logId` is the cluster's id and the topic's: a topic deleted and made anew is noticed within 10 s, read from its start,
 * and what it delivers twice is told by the events' ids.
 *
 * @throws LogUnavailableError when Kafka is not reached, or the topic's settings would lose events
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<EventLog> {
  const { topic: name = DEFAULT_TOPIC, partitions = 6, logger } = options
  const kafka = createKafka(options)
  const topic = new KafkaTopic(kafka, name, logger)
  try {
    await topic.open(partitions)
  } catch (cause) {
    await topic.close()
    throw unavailable(`Kafka at ${options.brokers.join(', ')}`, cause)
  }
  const appender = new KafkaAppender(kafka, topic, partitions, logger)
  const consumptions = new Set<Consumption>()
  let closed = false
  return {
    async append(records) {
      if (closed) throw new LogUnavailableError('the log is closed')
      if (records.length > 0) await appender.append(records)
    },
    async consume(consume) {
      const maxEvents = consume.maxEvents ?? DEFAULT_MAX_EVENTS
      const { lookMs } = options
      const session = { kafka, topic, partitions, consume, maxEvents, logger, lookMs }
      const consumption = consumeFromKafka(session, STOP_GRACE_MS)
      consumptions.add(consumption)
      return consumption
    },
    async lag(next) {
      const watermarks = await currentWatermarks(topic)
      return await Promise.all(
        watermarks.map(async ([partition, { low, high }]) => {
          const topicPartition = topic.topicPartition(partition)
          const stored = await next(topicPartition)
          const from = stored === null || stored < low || stored > high ? low : stored
          return { topicPartition, end: high, records: high - from }
        }),
      )
    },
    async close() {
      if (closed) return
      closed = true
      await Promise.all([...consumptions].map((consumption) => consumption.stop()))
      await Promise.all([appender.close(), topic.close()])
    },
  }
}

/** By topic partition. */
async function currentWatermarks(topic: KafkaTopic): Promise<[number, Watermarks][]> {
  try {
    await topic.refresh()
    return [...(await topic.watermarks())].sort(([one], [other]) => one - other)
  } catch (cause) {
    throw unavailable('the lag in Kafka', cause)
  }
}

function unavailable(what: string, cause: unknown): LogUnavailableError {
  return new LogUnavailableError(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
}
