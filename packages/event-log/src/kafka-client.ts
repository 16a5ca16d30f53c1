import type { Logger } from '@platform-events/runtime'
import { Kafka, type KafkaConfig, type LogEntry, logLevel } from 'kafkajs'

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

/** A client whose every request ends within seconds: the defaults of kafkajs keep a request open for minutes. */
export function createKafka({ brokers, clientId, logger, ssl, sasl }: KafkaConnection): Kafka {
  return new Kafka({
    brokers,
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

/** ERROR is for what a person must act on now; what kafkajs calls so it mostly heals itself. */
function report(logger: Logger, { level, namespace, log }: LogEntry): void {
  const { message, timestamp: _, logger: __, stack: ___, ...rest } = log
  const line = { ...rest, part: namespace }
  if (level === logLevel.ERROR) logger.warn(line, message)
  else if (level === logLevel.WARN) logger.info(line, message)
  else logger.debug(line, message)
}
