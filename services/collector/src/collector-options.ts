import type { EventLog } from '@platform-events/event-log'
import type { Registry, VerifyPlatformJwt } from '@platform-events/runtime'
import type { ReceivedCounts } from './received-counts.ts'
import type { Sources } from './source.ts'

/** What the collector's routes stand on. */
export interface CollectorOptions {
  log: Pick<EventLog, 'append'>
  sources: Sources
  /** Counts for the ledger. */
  received: ReceivedCounts
  verifyJwt: VerifyPlatformJwt
  metrics: Registry
  /** What requests may hold at once (bodies being read, appends pending) before they get a 503; 32 MiB unless told. */
  maxInFlightBytes?: number
  /** Milliseconds since 1970. */
  now?: () => number
}
