import {
  cleanStrings,
  type EventContext,
  isUuid,
  LIMITS,
  type LoggedEvent,
  logLine,
  type RejectedEvent,
  validateEvent,
} from '@platform-events/contracts'
import type { RecordBuilder } from './records.ts'
import { settleUserId, type UserIdRule } from './user-ids.ts'

export interface IngestOptions {
  context: EventContext
  userIds: UserIdRule
  /** The body may hold characters that Postgres refuses. */
  clean: boolean
  /** Takes the lines of the events that are good. */
  records: RecordBuilder
}

/** What became of the events of a request. */
export interface Ingested {
  accepted: number
  duplicates: number
  userIdsDropped: number
  cleanedStrings: number
  rejected: RejectedEvent[]
  /** What trackers had numbered of it. */
  rejectedNumbers: { stream: string; seq: number }[]
}

/** Checks the events of a request one by one and writes the good ones as records; nothing is stored yet. */
export function ingest(events: unknown[], options: IngestOptions): Ingested {
  const result: Ingested = {
    accepted: 0,
    duplicates: 0,
    userIdsDropped: 0,
    cleanedStrings: 0,
    rejected: [],
    rejectedNumbers: [],
  }
  const ids = new Set<string>()
  const reject = (value: unknown, rejected: RejectedEvent): void => {
    result.rejected.push(rejected)
    result.rejectedNumbers.push(...numberOf(value))
  }
  for (let index = 0; index < events.length; index++) {
    const value = options.clean ? cleaned(events[index], result) : events[index]
    const verdict = validateEvent(value, options.context)
    if (!verdict.ok) {
      reject(value, { index, ...idOf(value), code: verdict.code, message: verdict.message })
      continue
    }
    const { event } = verdict
    if (ids.has(event.id)) {
      result.duplicates++
      continue
    }
    const dropped = settleUserId(event, options.userIds)
    const line = logLine(event)
    if (isTooLarge(line, value)) {
      reject(value, { index, id: event.id, code: 'event_too_large', message: 'The event has more than 32 KB.' })
      continue
    }
    ids.add(event.id)
    options.records.add(keyOf(event), line)
    result.accepted++
    if (dropped) result.userIdsDropped++
  }
  return result
}

function cleaned(value: unknown, result: Ingested): unknown {
  return cleanStrings(value, () => {
    result.cleanedStrings++
  })
}

/** Records of one key stay in order: a session's, else a user's. */
function keyOf(event: LoggedEvent): string {
  return event.session_id ?? event.user_id ?? event.id
}

/** A line is the event plus what the collector added; the limit is for the event as it was sent, without white space. */
function isTooLarge(line: string, value: unknown): boolean {
  if (line.length * 3 <= LIMITS.EVENT_BYTES || Buffer.byteLength(line) <= LIMITS.EVENT_BYTES) return false
  return Buffer.byteLength(JSON.stringify(value)) > LIMITS.EVENT_BYTES
}

/** Its place in what its tracker sent, where it has a good one. */
function numberOf(value: unknown): { stream: string; seq: number }[] {
  const { stream, seq } = (value ?? {}) as { stream?: unknown; seq?: unknown }
  const isNumbered = typeof stream === 'string' && isUuid(stream) && Number.isInteger(seq)
  return isNumbered && (seq as number) >= 0 && (seq as number) <= 0x7fffffff ? [{ stream, seq: seq as number }] : []
}

/** What the client called the event, where that is short enough to repeat. */
function idOf(value: unknown): { id?: string } {
  const id = (value as { id?: unknown } | null)?.id
  return typeof id === 'string' && id.length <= 64 ? { id } : {}
}
