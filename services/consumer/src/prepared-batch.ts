import { lateness } from '@platform-events/contracts'
import type { RecordBatch } from '@platform-events/event-log'
import type { ActorKeys } from './actor-key.ts'
import { decodeRecord } from './decode.ts'
import type { DeadLine, EventRow } from './event-row.ts'

/** A batch of one topic partition, decoded and sorted by what is to become of its lines. */
export interface PreparedBatch {
  batch: RecordBatch
  /** For platform_events. */
  rows: EventRow[]
  /** Outside the late window, with the reason. */
  quarantined: QuarantinedRow[]
  dead: DeadLine[]
  /** Lines in all. */
  events: number
}

export interface QuarantinedRow {
  row: EventRow
  reason: 'too_old' | 'in_future'
}

export function prepareBatch(batch: RecordBatch, actorKeys: ActorKeys): PreparedBatch {
  const decoded: EventRow[] = []
  const dead: DeadLine[] = []
  for (const record of batch.records) decodeRecord(record, batch.topicPartition, actorKeys, decoded, dead)
  const quarantined: QuarantinedRow[] = []
  const rows = decoded.filter((row) => {
    const reason = lateness(row.createdAt / 1000, row.origin.receivedAt / 1000)
    if (reason !== null) quarantined.push({ row, reason })
    return reason === null
  })
  return { batch, rows, quarantined, dead, events: decoded.length + dead.length }
}
