import type { BinaryCopy } from '@platform-events/postgres'
import type { EventRow } from './event-row.ts'

/** The columns of `encodeRows`, in its order. */
export const COPY_COLUMNS =
  'id, event_type, user_id, session_id, properties, created_at, received_at, source_id, actor_key, stream, seq, raw_created_at'

const COLUMNS = 12

/**
 * Rows as the data of a binary COPY of `COPY_COLUMNS`, in parts as the slices come.
 *
 * @param copy keeps the parts until they are begun anew
 */
export function* encodeRows(copy: BinaryCopy, slices: Iterable<EventRow[]>): Generator<Buffer> {
  copy.begin()
  let sent = 0
  for (const rows of slices) {
    for (const row of rows) encodeRow(copy, row)
    yield copy.part(sent)
    sent = copy.length
  }
  copy.finish()
  yield copy.part(sent)
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
