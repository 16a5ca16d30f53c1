import type { ConsumedRecord, TopicPartition } from '@platform-events/event-log'
import type { ActorKeys } from './actor-key.ts'
import type { DeadLine, EventRow, RowOrigin } from './event-row.ts'
import { utcMicros } from './timestamp.ts'

const NEWLINE = '\n'
const PROPERTIES = '"properties":'
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const NOT_ASCII = /[^\0-\x7f]/
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Adds a record's lines to `rows`, and those that are no event to `dead`.
 *
 * The collector writes each line with `properties` last and only scalars before it; a quote inside a string is escaped,
 * so the first `"properties":` is the top-level key. Only the head before it is parsed, and the properties' bytes go on
 * as they are: Postgres parses them anyway (2.6 µs a row), a second time here would double our own cost.
 * A line of any other shape (somebody else writes to the topic) is parsed whole.
 */
export function decodeRecord(
  record: ConsumedRecord,
  topicPartition: TopicPartition,
  actorKeys: ActorKeys,
  rows: EventRow[],
  dead: DeadLine[],
): void {
  const { value } = record
  const origin = originOf(record, topicPartition)
  // One byte a character, so that positions in the text are positions in the bytes: one copy for the record costs
  // 0.9 µs a line with everything, a string for each line and a search in the buffer 1.8.
  const text = value.toString('latin1')
  let line = 0
  for (let start = 0; start < text.length; line++) {
    const newline = text.indexOf(NEWLINE, start)
    const end = newline === -1 ? text.length : newline
    if (end > start) {
      const row = headOnly(text.slice(start, end), origin, line, start, end) ?? wholeLine(origin, line, start, end)
      if (typeof row === 'string') dead.push(notAnEvent(origin, line, start, end, row))
      else {
        row.actorKey = actorKeys.of(row.userId, row.sessionId)
        rows.push(row)
      }
    }
    start = end + 1
  }
}

/** The row of a line as the collector writes it; null if it has another shape. */
function headOnly(text: string, origin: RowOrigin, line: number, start: number, end: number): EventRow | null {
  const key = text.indexOf(PROPERTIES)
  const propertiesAt = key + PROPERTIES.length
  // At least one field, hence a comma, before; `{…}}` after.
  if (key < 2 || text[propertiesAt] !== '{' || !text.endsWith('}}') || propertiesAt > text.length - 3) return null
  const head = text.slice(0, key - 1)
  let fields: unknown
  try {
    fields = JSON.parse(`${NOT_ASCII.test(head) ? utf8.decode(origin.value.subarray(start, start + key - 1)) : head}}`)
  } catch {
    return null
  }
  const row = rowOf(fields, origin, line, start, end)
  if (typeof row === 'string') return null
  row.propertiesStart = start + propertiesAt
  row.propertiesEnd = end - 1
  return row
}

/** The row of a line of any shape; a text saying why it is no event. */
function wholeLine(origin: RowOrigin, line: number, start: number, end: number): EventRow | string {
  let event: unknown
  try {
    event = JSON.parse(utf8.decode(origin.value.subarray(start, end)))
  } catch {
    return 'not JSON in UTF-8'
  }
  const row = rowOf(event, origin, line, start, end)
  if (typeof row === 'string') return row
  const { properties = {} } = event as { properties?: unknown }
  if (typeof properties !== 'object' || properties === null || Array.isArray(properties))
    return 'properties is not an object'
  row.propertiesIn = Buffer.from(JSON.stringify(properties))
  row.propertiesEnd = row.propertiesIn.length
  return row
}

/** Checks the fields before `properties`; the row's properties are still to be set. */
function rowOf(fields: unknown, origin: RowOrigin, line: number, start: number, end: number): EventRow | string {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return 'not an object'
  if (origin.sourceId === 0 || Number.isNaN(origin.receivedAt)) return 'record without source_id or received_at'
  const given = fields as Record<string, unknown>
  const id = uuid(given['id'])
  const userId = uuid(given['user_id'])
  const sessionId = wellFormed(given['session_id'] ?? null)
  const eventType = wellFormed(given['event_type'])
  const createdAt = micros(given['created_at'])
  const rawCreatedAt = micros(given['raw_created_at'])
  const stream = uuid(given['stream'])
  const seq = given['seq'] ?? null
  if (typeof id !== 'string') return 'id is not a UUID'
  if (typeof eventType !== 'string' || eventType === '') return 'event_type is not a name'
  if (userId === undefined) return 'user_id is not a UUID'
  if (sessionId !== null && typeof sessionId !== 'string') return 'session_id is not a string'
  if (createdAt === null || Number.isNaN(createdAt)) return 'created_at is not a time in UTC'
  if (Number.isNaN(rawCreatedAt)) return 'raw_created_at is not a time in UTC'
  if (stream === undefined) return 'stream is not a UUID'
  if (seq !== null && !isInt4(seq)) return 'seq is not a whole number'
  return {
    origin,
    line,
    start,
    end,
    id,
    eventType,
    userId,
    sessionId,
    createdAt,
    rawCreatedAt,
    dedupeById: rawCreatedAt !== null || given['time_of_receipt'] === true,
    stream,
    seq,
    actorKey: null,
    propertiesIn: origin.value,
    propertiesStart: 0,
    propertiesEnd: 0,
  }
}

/** Two texts that differ in lone surrogates are one in UTF-8: they must be one for the session map and the rollup, too. */
function wellFormed(value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value
}

/** In lower case; null where absent, undefined where it is something else. */
function uuid(value: unknown): string | null | undefined {
  if (value === undefined || value === null) return null
  if (typeof value !== 'string') return undefined
  if (UUID.test(value)) return value
  const lower = value.toLowerCase()
  return UUID.test(lower) ? lower : undefined
}

/** Microseconds since 1970; null where absent, NaN where it is something else. */
function micros(value: unknown): number | null {
  if (value === undefined || value === null) return null
  return typeof value === 'string' ? utcMicros(value) : Number.NaN
}

function isInt4(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0x7fffffff
}

/**
 * A source_id that is none becomes 0: it means "inserted by SQL", where a trigger does our work, so we never write it. A
 * received_at that doubles do not hold to the microsecond (past the year 2255) is none: days are reckoned from it.
 */
function originOf(record: ConsumedRecord, topicPartition: TopicPartition): RowOrigin {
  const { source_id, received_at, collector_id, accepted = 0, accepted_before = 0 } = record.headers
  const receivedAt = typeof received_at === 'string' ? utcMicros(received_at) : Number.NaN
  return {
    topicPartition,
    offset: record.offset,
    key: record.key,
    sourceId: Number.isInteger(source_id) && source_id > 0 && source_id <= 0x7fff ? source_id : 0,
    receivedAt: Number.isSafeInteger(receivedAt) ? receivedAt : Number.NaN,
    receivedDay: Number.isSafeInteger(receivedAt) ? new Date(receivedAt / 1000).toISOString().slice(0, 10) : null,
    collectorId: isNumber(accepted) && Number.isSafeInteger(receivedAt) ? (uuid(collector_id) ?? null) : null,
    accepted,
    acceptedBefore: isNumber(accepted_before) ? accepted_before : 0,
    value: record.value,
  }
}

function isNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0
}

function notAnEvent(origin: RowOrigin, line: number, start: number, end: number, message: string): DeadLine {
  return { origin, line, start, end, eventId: null, reason: 'not_an_event', sqlstate: null, message }
}
