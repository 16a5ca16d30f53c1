import { type Receipt, settleTime } from './clock.ts'
import type { EventErrorCode } from './error-codes.ts'
import type { EventProperties, LoggedEvent } from './event.ts'
import { type IsoTime, parseIsoTime, representable } from './iso-time.ts'
import { LIMITS } from './limits.ts'
import { propertiesProblem } from './properties.ts'
import { uuidv7Time } from './uuidv7.ts'

/** What a request says about its events, and how the collector names those without an id. */
export interface EventContext extends Receipt {
  newId(): string
}

export type EventVerdict = { ok: true; event: LoggedEvent } | { ok: false; code: EventErrorCode; message: string }

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const NIL = '00000000-0000-0000-0000-000000000000'
const MAX_SEQ = 2_147_483_647

/**
 * Checks one event of a request and completes it for the log: ids in lower case, time settled, optional fields that are null
 * left out. Written by hand because it runs for every event; `wireEventSchema` says the same, and a property test
 * holds the two equal. Strings must be clean already (`cleanStrings`), the size of the event is for the caller to check.
 *
 * @param value anything that JSON.parse returns
 */
export function validateEvent(value: unknown, context: EventContext): EventVerdict {
  if (!isObject(value)) return reject('invalid_event', 'The event is not a JSON object.')
  for (const field in value) if (!isField(field)) return reject('unknown_field', `There is no field ${quoted(field)}.`)

  const eventType = value['event_type']
  if (typeof eventType !== 'string') return reject('invalid_event_type', 'event_type is not a string.')
  if (eventType.length === 0 || eventType.length > LIMITS.EVENT_TYPE_CHARACTERS)
    return reject('invalid_event_type', `event_type has ${eventType.length} characters.`)

  const id = value['id'] ?? undefined
  if (id !== undefined && !isUuid(id)) return reject('invalid_id', 'id is not a UUID.')
  if (id === NIL) return reject('invalid_id', 'id is the nil UUID, which names nothing.')
  const userId = value['user_id'] ?? undefined
  if (userId !== undefined && !isUuid(userId)) return reject('invalid_user_id', 'user_id is not a UUID.')
  const sessionId = value['session_id'] ?? undefined
  if (sessionId !== undefined && !isSessionId(sessionId))
    return reject('invalid_session_id', 'session_id is not a string of 1 to 128 characters.')
  const stream = value['stream'] ?? undefined
  if (stream !== undefined && !isUuid(stream)) return reject('invalid_stream', 'stream is not a UUID.')
  const seq = value['seq'] ?? undefined
  if (seq !== undefined && !isSeq(seq)) return reject('invalid_seq', 'seq is not a whole number from 0 to 2147483647.')

  const createdAt = value['created_at'] ?? undefined
  let claim: IsoTime | null = null
  if (createdAt !== undefined) {
    claim = typeof createdAt === 'string' ? parseIsoTime(createdAt) : null
    if (claim === null) return reject('invalid_created_at', 'created_at is not an ISO 8601 time with an offset.')
  } else if (id !== undefined) {
    claim = uuidv7Claim(id)
  }

  const properties = value['properties'] ?? {}
  if (!isObject(properties)) return reject('invalid_properties', 'properties is not a JSON object.')
  const problem = propertiesProblem(properties)
  if (problem === 'too_deep') return reject(problem, `properties nest deeper than ${LIMITS.JSON_DEPTH} levels.`)
  if (problem === 'invalid_number') return reject(problem, 'A number in properties is larger than a double can hold.')

  const time = settleTime(claim, context)
  const event: LoggedEvent = {
    id: id === undefined ? context.newId() : id.toLowerCase(),
    event_type: eventType,
    created_at: time.created_at,
    properties: properties as EventProperties,
  }
  if (userId !== undefined) event.user_id = userId.toLowerCase()
  if (sessionId !== undefined) event.session_id = sessionId
  if (time.raw_created_at !== undefined) event.raw_created_at = time.raw_created_at
  if (time.time_of_receipt !== undefined) event.time_of_receipt = time.time_of_receipt
  if (stream !== undefined) event.stream = stream.toLowerCase()
  if (seq !== undefined) event.seq = seq
  return { ok: true, event }
}

/** Any UUID in its text form, upper or lower case. */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value)
}

function isField(name: string): boolean {
  switch (name) {
    case 'id':
    case 'event_type':
    case 'user_id':
    case 'session_id':
    case 'properties':
    case 'created_at':
    case 'stream':
    case 'seq':
      return true
    default:
      return false
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isSessionId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= LIMITS.SESSION_ID_CHARACTERS
}

function isSeq(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_SEQ
}

/** The time in a UUIDv7; its 48 bits reach beyond the year 9999, which no clock shows. */
function uuidv7Claim(id: string): IsoTime | null {
  const ms = uuidv7Time(id)
  return ms === null || !representable(ms) ? null : { ms, micros: 0 }
}

function reject(code: EventErrorCode, message: string): EventVerdict {
  return { ok: false, code, message }
}

/** A client's own text in a message: short, and on one line. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
}
