interface ErrorCode {
  /** The HTTP status; absent for verdicts on single events, which come in the body of a 202. */
  status?: number
  /** Whether the same request may succeed later, unchanged. */
  retryable: boolean
  /** One line: what to do. */
  help: string
}

/** Every error that a request as a whole can end in. Clients switch on the code, never on the text. */
export const REQUEST_ERRORS = {
  invalid_http: {
    status: 400,
    retryable: false,
    help: 'Send a request as HTTP/1.1 has it (RFC 9112); the connection is closed.',
  },
  request_timeout: {
    status: 408,
    retryable: true,
    help: 'The request took longer than 30 seconds to arrive. Send it again, smaller.',
  },
  headers_too_large: { status: 431, retryable: false, help: 'Send at most 16 KB of headers.' },
  invalid_json: {
    status: 400,
    retryable: false,
    help: 'Send JSON; /openapi.json has the forms. Events: one, or { "batch": [event, …] }.',
  },
  invalid_batch: {
    status: 400,
    retryable: false,
    help: 'Send one event object, or { "batch": [event, …], "sent_at"?, "write_key"? }.',
  },
  invalid_encoding: {
    status: 400,
    retryable: false,
    help: 'The body does not decode as its Content-Encoding says, or is not UTF-8.',
  },
  invalid_query: {
    status: 400,
    retryable: false,
    help: 'See /openapi.json, of what is under /api /api/openapi.json, for the parameters and their forms.',
  },
  missing_write_key: {
    status: 401,
    retryable: false,
    help: 'Send the write key as Authorization: Bearer, as the Basic user, as write_key in the body, or as ?write_key=.',
  },
  unknown_write_key: {
    status: 401,
    retryable: false,
    help: 'No enabled source has this write key. Compare it with access.json or the event_sources table.',
  },
  unauthorized: {
    status: 401,
    retryable: false,
    help: 'Send Authorization: Bearer with an operator token or the JWT of an admin.',
  },
  sign_in_required: {
    status: 401,
    retryable: false,
    help: 'Send Authorization: Bearer with the JWT that the platform gave the signed-in user.',
  },
  guest_session_required: {
    status: 401,
    retryable: false,
    help: 'Send the session_token of a live guest session as Authorization: Bearer; POST /api/guest/session makes one.',
  },
  forbidden: { status: 403, retryable: false, help: 'This token is valid, but its bearer is not an admin.' },
  cross_origin: {
    status: 403,
    retryable: false,
    help: 'The session cookie writes from the page of this server only; from elsewhere send Authorization: Bearer.',
  },
  origin_not_allowed: { status: 403, retryable: false, help: 'Add this origin to the allowed_origins of the source.' },
  not_found: { status: 404, retryable: false, help: 'See /openapi.json for the paths.' },
  method_not_allowed: { status: 405, retryable: false, help: 'See /openapi.json for the methods of this path.' },
  conversation_closed: {
    status: 409,
    retryable: false,
    help: 'Leave conversation_id out to begin another conversation.',
  },
  conversation_full: {
    status: 409,
    retryable: false,
    help: 'This conversation has as many messages as one may have. Begin another.',
  },
  idempotency_conflict: {
    status: 409,
    retryable: false,
    help: 'This Idempotency-Key came with another body before. Make a new one for each new request.',
  },
  request_in_progress: {
    status: 409,
    retryable: true,
    help: 'A request with this Idempotency-Key is being answered. Send the same again after Retry-After seconds.',
  },
  already_converted: { status: 409, retryable: false, help: 'This guest session belongs to another account already.' },
  customer_required: {
    status: 422,
    retryable: false,
    help: 'Finish the sign-up first: the platform’s bookings refer to a customer, and this user has no such row yet. Then ask again.',
  },
  account_kept: {
    status: 409,
    retryable: false,
    help: 'A table of the platform keeps this account, and nothing was deleted. The operator finds in the log, under this request id, which one and what to do.',
  },
  payload_too_large: {
    status: 413,
    retryable: false,
    help: 'Send at most 500 KB of events a request, counted before and after decoding: split the batch. Elsewhere /openapi.json and /api/openapi.json have the limits.',
  },
  too_many_events: { status: 413, retryable: false, help: 'Send at most 2500 events a request; split the batch.' },
  unsupported_media_type: { status: 415, retryable: false, help: 'Send application/json or text/plain.' },
  unsupported_encoding: {
    status: 415,
    retryable: false,
    help: 'Send the body plain, or with Content-Encoding gzip, deflate or br.',
  },
  rate_limited: {
    status: 429,
    retryable: true,
    help: 'Wait as long as Retry-After says, then send the same bytes again.',
  },
  internal: {
    status: 500,
    retryable: true,
    help: 'A fault of ours; the log has it under this request id. Send the same bytes again.',
  },
  assistant_failed: {
    status: 502,
    retryable: true,
    help: 'The assistant’s model failed; your message is kept. Send the same again with the same Idempotency-Key.',
  },
  assistant_timeout: {
    status: 504,
    retryable: true,
    help: 'The assistant’s model took too long; your message is kept. Send the same again with the same Idempotency-Key.',
  },
  log_unavailable: {
    status: 503,
    retryable: true,
    help: 'The event log took nothing. Send the same bytes again after Retry-After seconds.',
  },
  identity_unavailable: {
    status: 503,
    retryable: true,
    help: 'The platform’s keys (JWKS_URL) cannot be fetched, so nobody can say whose token this is. Send the same again after Retry-After seconds.',
  },
  database_unavailable: {
    status: 503,
    retryable: true,
    help: 'Postgres does not answer. Ask again after Retry-After seconds.',
  },
  overloaded: {
    status: 503,
    retryable: true,
    help: 'More questions are asked than can be answered. Ask again after Retry-After seconds.',
  },
  query_timeout: {
    status: 504,
    retryable: false,
    help: 'The answer took too long to compute. Ask for a shorter period.',
  },
} as const satisfies Record<string, ErrorCode & { status: number }>

/** Every verdict on a single event; the rest of its batch is not touched by it. */
export const EVENT_ERRORS = {
  invalid_event: { retryable: false, help: 'An event is a JSON object.' },
  unknown_field: {
    retryable: false,
    help: 'Put your own data under properties; the fields are id, event_type, user_id, session_id, properties, created_at, stream, seq.',
  },
  invalid_event_type: { retryable: false, help: 'event_type is a string of 1 to 128 characters.' },
  invalid_id: { retryable: false, help: 'id is a UUID, made once for each event; UUIDv7 is best.' },
  invalid_user_id: { retryable: false, help: 'user_id is a UUID, or absent.' },
  invalid_session_id: { retryable: false, help: 'session_id is a string of 1 to 128 characters, or absent.' },
  invalid_properties: { retryable: false, help: 'properties is a JSON object, or absent.' },
  invalid_created_at: {
    retryable: false,
    help: 'created_at is an ISO 8601 time with an offset, such as 2026-11-24T09:30:00.123Z, or absent.',
  },
  invalid_stream: { retryable: false, help: 'stream is a UUID, or absent.' },
  invalid_seq: { retryable: false, help: 'seq is a whole number from 0 to 2147483647, or absent.' },
  invalid_number: {
    retryable: false,
    help: 'A number in this event is larger than a double can hold; send it as a string.',
  },
  event_too_large: { retryable: false, help: 'An event is at most 32 KB of JSON.' },
  too_deep: { retryable: false, help: 'properties nest at most 16 levels deep.' },
} as const satisfies Record<string, ErrorCode>

export type RequestErrorCode = keyof typeof REQUEST_ERRORS
export type EventErrorCode = keyof typeof EVENT_ERRORS

/** The body of every answer that is not 2xx. */
export interface ErrorBody {
  code: RequestErrorCode
  message: string
  help: string
  /** Whether the same request may succeed later, unchanged. */
  retryable: boolean
}

/** An error that ends a request: the HTTP layer turns it into its status and an `ErrorBody`; 429 and 503 carry Retry-After. */
export class RequestError extends Error {
  readonly code: RequestErrorCode
  /** Seconds, for Retry-After; 1 unless told. */
  readonly retryAfterSeconds: number | undefined

  constructor(code: RequestErrorCode, message: string, options: { cause?: unknown; retryAfterSeconds?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'RequestError'
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}
