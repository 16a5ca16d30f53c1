import type { LogRecord } from '@platform-events/event-log'
import type { Brokers } from './brokers.ts'
import type { Link, LinkName } from './link.ts'
import type { ManagedProcess } from './managed-process.ts'
import type { PostgresServer } from './postgres-server.ts'
import type { Prepared } from './prepare-database.ts'

/** What is under attack: real processes and what they stand on. */
export interface System extends Prepared {
  /** Where clients send: through proxies. */
  doors: Door[]
  /** Of the query service, past the proxies. */
  queryUrl: string
  processes: ManagedProcess[]
  links: Partial<Record<LinkName, Link>>
  postgres: PostgresServer
  /** Null with the local log. */
  brokers: Brokers | null
  /** Adds a consumer and takes it away again; null where there is but one. */
  addConsumer: ((ms: number) => Promise<string>) | null
  addTopicPartition: (() => Promise<string>) | null
  /** Puts records straight into the log, past the collector's checks; resolves when they are durable. */
  appendToLog(records: LogRecord[], downMs: number): Promise<string>
  /** Reads all of the log, each topic partition in order. The processes may have to end for it: the last thing to do. */
  readLog(take: (topicPartition: number, value: Buffer) => void): Promise<void>
  /** Ends all of it. */
  stop(): Promise<void>
}

export interface Door {
  url: string
  /** Leads to one collector at all times, which keeps the order of what comes through it. */
  oneCollector: boolean
  /** To the collector with a small spool. */
  spoolsLittle: boolean
}

export interface SystemOptions {
  /** Data and the output of each process, `<name>.log`. */
  folder: string
  brokers: number
  /** Postgres stands by itself, behind a proxy. */
  databaseApart: boolean
  onDeath(name: string, lastWords: string): void
}
