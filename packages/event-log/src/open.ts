import { join } from 'node:path'
import type { Logger } from '@platform-events/runtime'
import type { EventLog } from './event-log.ts'
import { openLocalLog } from './local.ts'

/** The settings that choose the event log and reach it, as the environment has them. */
export interface EventLogSettings {
  /** host:port, separated by commas. Absent: the local log in DATA_DIR. */
  KAFKA_BROKERS?: string | undefined
  DATA_DIR: string
}

/** Opens the event log that the settings name: Kafka where brokers are given, else the local log in DATA_DIR/log. */
export async function openEventLog(settings: EventLogSettings, logger: Logger): Promise<EventLog> {
  return openLocalLog({ directory: join(settings.DATA_DIR, 'log'), logger })
}
