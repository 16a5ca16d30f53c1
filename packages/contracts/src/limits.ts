/** The limits at the door (the units are in the names). Counted after decoding unless a line says otherwise. */
export const LIMITS = {
  EVENT_BYTES: 32 * 1024,
  REQUEST_BYTES: 500 * 1024,
  /** Before decoding: what a compressed body may weigh on the wire. */
  ENCODED_REQUEST_BYTES: 500 * 1024,
  EVENTS_PER_REQUEST: 2500,
  JSON_DEPTH: 16,
  EVENT_TYPE_CHARACTERS: 128,
  SESSION_ID_CHARACTERS: 128,
  /** A clock that is further off than this is corrected, by its skew rounded to this. */
  CLOCK_TOLERANCE_MS: 5 * 60 * 1000,
  /** Older than this on receipt: quarantine. */
  LATE_WINDOW_MS: 7 * 24 * 60 * 60 * 1000,
} as const
