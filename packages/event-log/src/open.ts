import { join } from 'node:path'
import type { Logger } from '@platform-events/runtime'
import type { EventLog } from './event-log.ts'
import { openKafkaLog } from './kafka.ts'
import { openLocalLog } from './local.ts'

/** The settings that choose the event log and reach it, as the environment has them. */
export interface EventLogSettings {
  /** host:port, separated by commas. Absent: the local log in DATA_DIR. */
  KAFKA_BROKERS?: string | undefined
  /** Default `platform.events.v1`. */
  KAFKA_TOPIC?: string | undefined
  DATA_DIR: string
}

/** Opens the event log that the settings name: Kafka where brokers are given, else the local log in DATA_DIR/log. */
export async function openEventLog(settings: EventLogSettings, logger: Logger): Promise<EventLog> {
  if (settings.KAFKA_BROKERS) {
    const brokers = settings.KAFKA_BROKERS.split(',').map((broker) => broker.trim())
    const topic = settings.KAFKA_TOPIC ? { topic: settings.KAFKA_TOPIC } : {}
    return openKafkaLog({ brokers, clientId: 'platform-events', logger, ...topic })
  }
  return openLocalLog({ directory: join(settings.DATA_DIR, 'log'), logger })
}
