import type { Logger } from '@platform-events/runtime'
import { Kafka, type KafkaConfig, type LogEntry, logLevel } from 'kafkajs'
import { firstToAnswer } from './kafka-bootstrap.ts'

/** How to reach Kafka. */
export interface KafkaConnection {
  /** host:port of some brokers. */
  brokers: string[]
  /** Names this process in the brokers' logs and quotas. */
  clientId: string
  logger: Logger
  ssl?: NonNullable<KafkaConfig['ssl']>
  sasl?: NonNullable<KafkaConfig['sasl']>
}

/**
 * How long kafkajs believes who leads which topic partition, and how many there are; its default is 5 minutes. So late it fetches
 * from a topic partition that had no leader when it last asked, and from one added since.
 */
export const METADATA_MAX_AGE_MS = 5000

/** A client connects in so long, or not at all: a broker may accept connections and answer nothing. */
export const CONNECT_MS = 6000

/** A client whose every request ends within seconds: the defaults of kafkajs keep a request open for minutes. */
export function createKafka({ brokers, clientId, logger, ssl, sasl }: KafkaConnection): Kafka {
  return new Kafka({
    brokers: async () => [await firstToAnswer(brokers, ssl)],
    clientId,
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl }),
    connectionTimeout: 3000,
    authenticationTimeout: 5000,
    requestTimeout: 5000,
    retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 5 },
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => report(logger, entry),
  })
}

/** Only what may help to understand: our own lines say what failed and what comes of it, and kafkajs says each thing many times. */
function report(logger: Logger, { level, namespace, log }: LogEntry): void {
  const { message, timestamp: _, logger: __, stack: ___, ...rest } = log
  logger[level === logLevel.ERROR ? 'info' : 'debug']({ ...rest, part: namespace }, message)
}
