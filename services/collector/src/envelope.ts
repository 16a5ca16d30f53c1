import { LIMITS, parseIsoTime, RequestError } from '@platform-events/contracts'

/** A request's body, taken apart; the events are not looked at yet. */
export interface Envelope {
  events: unknown[]
  sentAtMs: number | null
  writeKey: string | undefined
  userToken: string | undefined
}

/**
 * Takes a body apart: a batch with what holds for it, or a single event, beside whose fields `sent_at`, `write_key` and
 * `user_token` may stand as well. Fields of a batch that are unknown are passed over, so that a newer client can talk to an
 * older collector; those of an event are not (`validateEvent`).
 *
 * @throws RequestError invalid_json, invalid_batch, too_many_events
 */
export function parseEnvelope(text: string): Envelope {
  const body = parseJson(text)
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new RequestError('invalid_batch', 'The body is neither an event nor an object with a batch.')
  const { sent_at, write_key, user_token, ...rest } = body as Record<string, unknown>
  return {
    events: eventsOf(rest),
    sentAtMs: sentAt(sent_at),
    writeKey: optionalString(write_key, 'write_key'),
    userToken: optionalString(user_token, 'user_token'),
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new RequestError('invalid_json', 'The body is not JSON.', { cause: error })
  }
}

function eventsOf(body: Record<string, unknown>): unknown[] {
  const batch = body['batch'] ?? undefined
  if (batch === undefined) return [body]
  if (!Array.isArray(batch)) throw new RequestError('invalid_batch', 'batch is not an array.')
  if (batch.length > LIMITS.EVENTS_PER_REQUEST)
    throw new RequestError('too_many_events', `The batch has ${batch.length} events.`)
  return batch
}

function sentAt(value: unknown): number | null {
  if (value === undefined || value === null) return null
  const time = typeof value === 'string' ? parseIsoTime(value) : null
  if (time === null) throw new RequestError('invalid_batch', 'sent_at is not an ISO 8601 time with an offset.')
  return time.ms
}

function optionalString(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new RequestError('invalid_batch', `${field} is not a string.`)
  return value
}
