import type { BinaryCopy } from '@platform-events/postgres'
import type { EventRow } from './event-row.ts'

/** The columns of `encodeRows`, in its order. */
export const COPY_COLUMNS =
  'id, event_type, user_id, session_id, properties, created_at, received_at, source_id, actor_key, stream, seq, raw_created_at'

const COLUMNS = 12

/**
 * Rows as the data of a binary COPY of `COPY_COLUMNS`.
 *
 * @returns a buffer that holds until the next call
 */
export function encodeRows(copy: BinaryCopy, rows: EventRow[]): Buffer {
  copy.begin()
  for (const row of rows) encodeRow(copy, row)
  return copy.finish()
}

function encodeRow(copy: BinaryCopy, row: EventRow): void {
  copy.row(COLUMNS)
  copy.uuid(row.id)
  copy.text(row.eventType)
  if (row.userId === null) copy.null()
  else copy.uuid(row.userId)
  if (row.sessionId === null) copy.null()
  else copy.text(row.sessionId)
  copy.jsonb(row.propertiesIn, row.propertiesStart, row.propertiesEnd)
  copy.timestamptz(row.createdAt)
  copy.timestamptz(row.origin.receivedAt)
  copy.int2(row.origin.sourceId)
  if (row.actorKey === null) copy.null()
  else copy.int8(row.actorKey)
  if (row.stream === null) copy.null()
  else copy.uuid(row.stream)
  if (row.seq === null) copy.null()
  else copy.int4(row.seq)
  if (row.rawCreatedAt === null) copy.null()
  else copy.timestamptz(row.rawCreatedAt)
}
