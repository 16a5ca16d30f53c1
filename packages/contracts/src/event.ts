import type { EventErrorCode } from './error-codes.ts'

/** Any JSON value, as it comes off the wire. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

/** The properties of an event: a JSON object, never an array or a scalar. */
export type EventProperties = { [key: string]: Json }

/**
 * An event as a client sends it. The field names are the column names of `platform_events`.
 * Times are ISO 8601 with an offset (`2026-11-24T09:30:00.123Z`), ids are UUIDs in their text form.
 */
export interface WireEvent {
  /** Made once by the client and sent again unchanged on a retry; UUIDv7 if it can. Absent: the collector makes one. */
  id?: string
  event_type: string
  user_id?: string
  session_id?: string
  properties?: EventProperties
  /** When it happened, by the client's clock. Absent: the UUIDv7's own time, else the time of receipt. */
  created_at?: string
  /** One tracker instance; `seq` counts its events from 0, so that a gap shows a loss. */
  stream?: string
  seq?: number
}

/** What a client may post besides one bare event; its other fields may stand beside a bare event's as well. */
export interface WireBatch {
  batch: WireEvent[]
  /** The client's clock at the moment of this attempt; the events' own bytes never change. */
  sent_at?: string
  /** The source's public key, where no header can carry it (beacons). */
  write_key?: string
  /** The platform's JWT of the signed-in user, for sources that verify user ids. */
  user_token?: string
}

/**
 * An event as the event log keeps it: checked, complete, its time settled.
 * One line of NDJSON, `properties` last, so that the consumer can hand its bytes on without parsing them.
 */
export interface LoggedEvent {
  id: string
  event_type: string
  user_id?: string
  session_id?: string
  /** ISO 8601 UTC, milliseconds or microseconds: `2026-11-24T09:30:00.123Z`, `….123456Z`. */
  created_at: string
  /**
   * The client's own time where the collector corrected it, or might with the next attempt (then equal to created_at);
   * such an event is deduplicated by id over the late window.
   */
  raw_created_at?: string
  /** Present and true where `created_at` is no function of the message (no time sent, no UUIDv7): deduplicated by id too. */
  time_of_receipt?: true
  stream?: string
  seq?: number
  properties: EventProperties
}

/** The verdict on one event that was not accepted. */
export interface RejectedEvent {
  /** Its position in the request, from 0. */
  index: number
  id?: string
  code: EventErrorCode
  message: string
}

/** The body of a 202: everything that is not listed in `rejected` is durably in the event log. */
export interface IngestAnswer {
  /** Events now in the log. */
  accepted: number
  /** Events of this request whose id came earlier in the same request; present only where there are any. */
  duplicates?: number
  /** Events whose `user_id` was taken away because the source may not name users; present only where there are any. */
  user_ids_dropped?: number
  rejected: RejectedEvent[]
  /** The collector's clock, from which a tracker learns its offset. */
  server_time: string
}
