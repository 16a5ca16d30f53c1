import { join } from 'node:path'
import type { Logger } from '@platform-events/runtime'
import { AcceptedCounts } from './accepted-counts.ts'
import type { DeadLetterTopic } from './dead-letter-topic.ts'
import type { EventLog } from './event-log.ts'
import { DEFAULT_TOPIC, openKafkaLog } from './kafka.ts'
import type { KafkaConnection } from './kafka-client.ts'
import { kafkaDeadLetterTopic } from './kafka-dead-letters.ts'
import { readKafkaLog } from './kafka-reading.ts'
import { kafkaWhenReached } from './kafka-when-reached.ts'
import { type LocalLog, type LocalLogOptions, openLocalLog } from './local.ts'
import { readLocalLog } from './local-reading.ts'
import type { LogReading, ReadTopicPartition } from './log-reading.ts'
import { openSpooledLog, type SpoolStats } from './spooled.ts'

/** The settings that choose the event log and reach it, as the environment has them. */
export interface EventLogSettings {
  /** host:port, separated by commas. Absent: the local log in DATA_DIR. */
  KAFKA_BROKERS?: string | undefined
  /** Default `platform.events.v1`. */
  KAFKA_TOPIC?: string | undefined
  DATA_DIR: string
  /** The most that the local log may hold. Default 4 GiB. */
  LOG_MAX_BYTES?: number | undefined
}

/** Opens the event log that the settings name: Kafka where brokers are given, else the local log in DATA_DIR/log. */
export async function openEventLog(settings: EventLogSettings, logger: Logger): Promise<EventLog> {
  if (settings.KAFKA_BROKERS) return openKafka(settings.KAFKA_BROKERS, settings.KAFKA_TOPIC, logger)
  return openLocal(settings, { logger })
}

function openLocal(
  { DATA_DIR, LOG_MAX_BYTES: maxBytes }: EventLogSettings,
  options: Pick<LocalLogOptions, 'logger' | 'accepted'>,
): Promise<LocalLog> {
  return openLocalLog({ directory: join(DATA_DIR, 'log'), ...options, ...(maxBytes !== undefined && { maxBytes }) })
}

/** The log of those who collect: `spool` says what waits on this disk for Kafka, and is absent where the log itself is local. */
export interface CollectingLog extends EventLog {
  /** How many events were accepted: what the ledger calls so. */
  accepted: AcceptedCounts
  spool?(): SpoolStats
}

/**
 * The same for those who answer for what they append: over Kafka, appends go to DATA_DIR/spool while it is away, also when it is so
 * now.
 *
 * @throws DirectoryLockedError while another living process has the spool, or the local log, open
 */
export async function openCollectingLog(
  settings: EventLogSettings & { SPOOL_MAX_BYTES: number },
  logger: Logger,
): Promise<CollectingLog> {
  const { KAFKA_BROKERS: brokers, KAFKA_TOPIC: topic, SPOOL_MAX_BYTES: maxBytes } = settings
  const accepted = new AcceptedCounts()
  if (!brokers) return { ...(await openLocal(settings, { logger, accepted })), accepted }
  const spool = await openLocalLog({ directory: join(settings.DATA_DIR, 'spool'), logger, maxBytes })
  const kafka = kafkaWhenReached(() => openKafka(brokers, topic, logger), logger)
  return { ...(await openSpooledLog({ kafka, spool, accepted, logger })), accepted }
}

/**
 * The same for those who only read it: it opens also while Kafka is away, and a consumption begins when Kafka is reached. Until then
 * `lag` rejects with the reason.
 */
export function openConsumedLog(
  settings: { KAFKA_BROKERS: string; KAFKA_TOPIC?: string | undefined },
  logger: Logger,
): EventLog {
  return kafkaWhenReached(() => openKafka(settings.KAFKA_BROKERS, settings.KAFKA_TOPIC, logger), logger)
}

/**
 * Reads what the log holds from given offsets to its end, beside those who append and consume: no topic is made, no offset moved, no
 * folder locked.
 *
 * @throws LogUnavailableError where the log is not there, or not reached
 */
export async function readEventLog(
  settings: EventLogSettings,
  reading: LogReading,
  logger: Logger,
): Promise<ReadTopicPartition[]> {
  const { KAFKA_BROKERS: brokers, KAFKA_TOPIC: topic = DEFAULT_TOPIC, DATA_DIR } = settings
  if (brokers) return await readKafkaLog({ ...connectionTo(brokers, logger), topic }, reading)
  return await readLocalLog(join(DATA_DIR, 'log'), reading)
}

/** The topics of events and of dead letters are one: a dead letter would be read as an event, and die again, for ever. */
class SameTopicError extends Error {
  constructor(topic: string) {
    super(`KAFKA_DLQ_TOPIC=${topic}: the dead letters want a topic of their own, and this is KAFKA_TOPIC`)
    this.name = 'SameTopicError'
  }
}

/**
 * The topic where dead letters are published, not reached yet; undefined on the local log, which has no such thing.
 *
 * @throws SameTopicError
 */
export function openDeadLetterTopic(
  settings: EventLogSettings & { KAFKA_DLQ_TOPIC?: string | undefined },
  logger: Logger,
): DeadLetterTopic | undefined {
  const { KAFKA_BROKERS: brokers, KAFKA_TOPIC, KAFKA_DLQ_TOPIC: topic = 'platform.events.dlq.v1' } = settings
  if (!brokers) return undefined
  if (topic === (KAFKA_TOPIC ?? DEFAULT_TOPIC)) throw new SameTopicError(topic)
  return kafkaDeadLetterTopic({ ...connectionTo(brokers, logger), topic })
}

function openKafka(brokers: string, topic: string | undefined, logger: Logger): Promise<EventLog> {
  return openKafkaLog({ ...connectionTo(brokers, logger), ...(topic ? { topic } : {}) })
}

function connectionTo(brokers: string, logger: Logger): KafkaConnection {
  return { brokers: brokers.split(',').map((broker) => broker.trim()), clientId: 'platform-events', logger }
}
