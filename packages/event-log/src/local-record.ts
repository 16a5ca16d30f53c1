import type { ConsumedRecord, LogRecord } from './event-log.ts'

/**
 * A record as the local log stores it, integers big-endian:
 * u8 form · f64 appended at, ms since 1970 · i32 source_id · u32 events · in form 2: u8 + collector_id, f64 accepted,
 * f64 accepted_before · u8 + batch_id · u8 + received_at · u16 + key · the NDJSON. Strings are UTF-8 behind their length in bytes.
 */
const UNNUMBERED = 1
const NUMBERED = 2
const EVENTS_AT = 13
const STRINGS_AT = 17

export function encodeRecord(record: LogRecord, appendedAt: number): Buffer {
  const { headers } = record
  const batchId = Buffer.from(headers.batch_id)
  const receivedAt = Buffer.from(headers.received_at)
  const key = Buffer.from(record.key)
  const collectorId = headers.collector_id === undefined ? null : Buffer.from(headers.collector_id)
  const numberSize = collectorId === null ? 0 : 1 + collectorId.length + 16
  const size =
    STRINGS_AT + numberSize + 1 + batchId.length + 1 + receivedAt.length + 2 + key.length + record.value.length
  // Never a slice of Buffer's shared pool: the writing thread reads this memory while others go on using the pool.
  const out = Buffer.allocUnsafeSlow(size)
  out.writeUInt8(collectorId === null ? UNNUMBERED : NUMBERED, 0)
  out.writeDoubleBE(appendedAt, 1)
  out.writeInt32BE(headers.source_id, 9)
  out.writeUInt32BE(headers.events, EVENTS_AT)
  let at = STRINGS_AT
  if (collectorId !== null) {
    at = out.writeUInt8(collectorId.length, at)
    at += collectorId.copy(out, at)
    at = out.writeDoubleBE(headers.accepted ?? 0, at)
    at = out.writeDoubleBE(headers.accepted_before ?? 0, at)
  }
  at = out.writeUInt8(batchId.length, at)
  at += batchId.copy(out, at)
  at = out.writeUInt8(receivedAt.length, at)
  at += receivedAt.copy(out, at)
  at = out.writeUInt16BE(key.length, at)
  at += key.copy(out, at)
  record.value.copy(out, at)
  return out
}

/** @throws Error when the bytes have another form: written by a later version */
export function decodeRecord(offset: number, stored: Buffer): ConsumedRecord {
  if (stored[0] !== UNNUMBERED && stored[0] !== NUMBERED)
    throw new Error(`record ${offset} has form ${stored[0]}, this version reads forms ${UNNUMBERED} and ${NUMBERED}`)
  let at = STRINGS_AT
  const text = (lengthBytes: number): string => {
    const from = at + lengthBytes
    at = from + stored.readUIntBE(at, lengthBytes)
    return stored.toString('utf8', from, at)
  }
  let number: Pick<LogRecord['headers'], 'collector_id' | 'accepted' | 'accepted_before'> = {}
  if (stored[0] === NUMBERED) {
    const collector_id = text(1)
    number = { collector_id, accepted: stored.readDoubleBE(at), accepted_before: stored.readDoubleBE(at + 8) }
    at += 16
  }
  const batchId = text(1)
  const receivedAt = text(1)
  const key = text(2)
  return {
    offset,
    key,
    value: stored.subarray(at),
    headers: {
      schema: '1',
      source_id: stored.readInt32BE(9),
      batch_id: batchId,
      received_at: receivedAt,
      events: eventsOf(stored),
      ...number,
    },
  }
}

/** The events of a stored record, without decoding the rest. */
export function eventsOf(stored: Buffer): number {
  return stored.readUInt32BE(EVENTS_AT)
}

/** When a stored record was appended, ms since 1970. */
export function appendedAtOf(stored: Buffer): number {
  return stored.readDoubleBE(1)
}
