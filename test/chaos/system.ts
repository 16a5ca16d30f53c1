import type { LogRecord } from '@platform-events/event-log'
import type { ManagedProcess } from './managed-process.ts'
import type { TcpProxy } from './tcp-proxy.ts'

/** What is under attack: real processes and what they stand on. */
export interface System {
  /** Where clients send: through the proxy. */
  url: string
  writeKey: string
  /** Straight to Postgres, for those who compare at the end. */
  databaseUrl: string
  sourceId: number
  /** Data and the output of each process, `<name>.log`. */
  folder: string
  processes: ManagedProcess[]
  /** Between clients and collectors. */
  door: TcpProxy
  /** Between our processes and Postgres; null where Postgres belongs to the process itself. */
  database: TcpProxy | null
  broker: Broker | null
  /** Ends Postgres by SIGQUIT (`pg_ctl stop -m immediate`); it comes back with crash recovery after `downMs`. */
  crashPostgres(downMs: number): Promise<string | undefined>
  /** Adds a consumer and takes it away again; null where there is but one. */
  addConsumer: ((ms: number) => Promise<string>) | null
  /** Puts records straight into the log, past the collector's checks; resolves when they are durable. */
  appendToLog(records: LogRecord[], downMs: number): Promise<string>
  /** Ends all of it and removes its data, unless it is to be looked at. */
  stop(keepData: boolean): Promise<void>
}

export interface Broker {
  /** Not while another of these is under way: a second broker would start in the folder of the first. */
  busy(): boolean
  kill(downMs: number): Promise<void>
  stop(downMs: number): Promise<void>
  freeze(ms: number): Promise<void>
}
