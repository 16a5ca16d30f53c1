import type { EventRow } from './event-row.ts'
import type { PreparedBatch } from './prepared-batch.ts'

/** Rows in slices of about this many: one takes less than a millisecond to decode and encode, and Postgres six. */
const SLICE = 500

/** Rows that may still have to be decoded. */
export interface RowSource {
  slices(): Iterable<EventRow[]>
  all(): EventRow[]
}

/** The rows of batches that are stored by their key. */
export function rowsOfBatches(batches: PreparedBatch[]): RowSource {
  return {
    *slices() {
      for (const prepared of batches) yield* prepared.rowSlices(SLICE)
    },
    all() {
      for (const prepared of batches) prepared.decodeAll()
      return batches.flatMap(({ rows }) => rows)
    },
  }
}

export function rowsOfArray(rows: EventRow[]): RowSource {
  return {
    *slices() {
      for (let at = 0; at < rows.length; at += SLICE) yield rows.slice(at, at + SLICE)
    },
    all: () => rows,
  }
}
