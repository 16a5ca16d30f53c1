import type { TopicPartition } from '@platform-events/event-log'

/** The record that a row came from: everything its rows share. */
export interface RowOrigin {
  topicPartition: TopicPartition
  offset: number
  /** The record's; empty where it has none. */
  key: string
  sourceId: number
  /** Microseconds since 1970. */
  receivedAt: number
  /** UTC day of receivedAt, YYYY-MM-DD; null where that is none: the day of the load counts. */
  receivedDay: string | null
  /** Who numbered the record, in lower case; null: nobody. */
  collectorId: string | null
  /** The number that it reaches, and the one up to which all were durable before it: see `RecordHeaders`. */
  accepted: number
  acceptedBefore: number
  /** The record's bytes; the rows point into them. */
  value: Buffer
}

/** One event on its way into platform_events. Times are microseconds since 1970; UUIDs are in lower case. */
export interface EventRow {
  origin: RowOrigin
  /** 0-based line in the record, which begins at byte `start` of its value and ends before `end`. */
  line: number
  start: number
  end: number
  id: string
  eventType: string
  userId: string | null
  sessionId: string | null
  createdAt: number
  rawCreatedAt: number | null
  /** created_at may differ between two sendings of this event, so it is looked for by id, as far as an event may be late. */
  dedupeById: boolean
  stream: string | null
  seq: number | null
  actorKey: bigint | null
  /** The properties are these bytes of `propertiesIn`, JSON nobody has parsed. */
  propertiesIn: Buffer
  propertiesStart: number
  propertiesEnd: number
}

/** Why a line is not stored, as the dead letters keep it. */
export interface DeadLine {
  origin: RowOrigin
  line: number
  start: number
  end: number
  eventId: string | null
  reason: 'not_an_event' | 'refused'
  sqlstate: string | null
  message: string
}
