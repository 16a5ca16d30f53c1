import { lateness } from '@platform-events/contracts'
import type { RecordBatch } from '@platform-events/event-log'
import type { ActorKeys } from './actor-key.ts'
import { decodeRecord } from './decode.ts'
import type { DeadLine, EventRow } from './event-row.ts'

export interface QuarantinedRow {
  row: EventRow
  reason: 'too_old' | 'in_future'
}

/**
 * A batch of one topic partition, its lines sorted by what is to become of them. Decoded piece by piece as the rows are asked
 * for, so that Postgres takes in the first rows while we decode the next; the second time they are there already.
 */
export class PreparedBatch {
  readonly batch: RecordBatch
  /** Events in the batch, as the records' headers say. */
  readonly events: number
  /** What has been decoded so far: see `decodeAll`. */
  readonly rows: EventRow[] = []
  /** To be looked for by their id before they are stored. */
  readonly rowsById: EventRow[] = []
  readonly quarantined: QuarantinedRow[] = []
  readonly dead: DeadLine[] = []
  readonly #actorKeys: ActorKeys
  #decodedRecords = 0

  constructor(batch: RecordBatch, actorKeys: ActorKeys) {
    this.batch = batch
    this.events = batch.records.reduce((sum, { headers }) => sum + (headers.events > 0 ? headers.events : 1), 0)
    this.#actorKeys = actorKeys
  }

  decodeAll(): void {
    while (this.#decodeNext());
  }

  /** `rows` in slices of about that many, decoding what is not decoded yet. */
  *rowSlices(size: number): Generator<EventRow[]> {
    for (let at = 0; ; ) {
      while (this.rows.length - at < size && this.#decodeNext());
      if (this.rows.length === at) return
      yield this.rows.slice(at, at + size)
      at = Math.min(at + size, this.rows.length)
    }
  }

  #decodeNext(): boolean {
    const record = this.batch.records[this.#decodedRecords]
    if (record === undefined) return false
    this.#decodedRecords++
    const decoded: EventRow[] = []
    decodeRecord(record, this.batch.topicPartition, this.#actorKeys, decoded, this.dead)
    for (const row of decoded) {
      const reason = lateness(row.createdAt / 1000, row.origin.receivedAt / 1000)
      if (reason !== null) this.quarantined.push({ row, reason })
      else if (row.dedupeById) this.rowsById.push(row)
      else this.rows.push(row)
    }
    return true
  }
}
