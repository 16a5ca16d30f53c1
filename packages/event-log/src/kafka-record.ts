import type { IHeaders, KafkaMessage, Message } from 'kafkajs'
import type { ConsumedRecord, LogRecord } from './event-log.ts'

/** A record as Kafka's message: headers are strings. */
export function toMessage({ key, value, headers }: LogRecord): Message {
  return {
    key,
    value,
    headers: {
      schema: headers.schema,
      source_id: String(headers.source_id),
      batch_id: headers.batch_id,
      received_at: headers.received_at,
      events: String(headers.events),
      ...(headers.collector_id !== undefined && {
        collector_id: headers.collector_id,
        accepted: String(headers.accepted),
        accepted_before: String(headers.accepted_before ?? 0),
      }),
    },
  }
}

/** Bytes that a record takes in a request, about. */
export function sizeOf(record: LogRecord): number {
  return record.value.length + record.key.length * 3 + 310
}

/** Takes any message, also one that was not written by us: what its headers do not say is told by the rest of it. */
export function fromMessage(message: KafkaMessage): ConsumedRecord {
  const value = message.value ?? Buffer.alloc(0)
  const header = (name: string): string | undefined => textOf(message.headers, name)
  const collectorId = header('collector_id')
  return {
    offset: Number(message.offset),
    key: message.key?.toString() ?? '',
    value,
    headers: {
      schema: '1',
      source_id: Number(header('source_id') ?? 0),
      batch_id: header('batch_id') ?? '',
      received_at: header('received_at') ?? new Date(Number(message.timestamp)).toISOString(),
      events: eventsOf(message),
      ...(collectorId !== undefined && {
        collector_id: collectorId,
        accepted: Number(header('accepted')),
        accepted_before: Number(header('accepted_before') ?? 0),
      }),
    },
  }
}

export function eventsOf(message: KafkaMessage): number {
  const said = Number(textOf(message.headers, 'events'))
  return Number.isInteger(said) ? said : linesOf(message.value)
}

function textOf(headers: IHeaders | undefined, name: string): string | undefined {
  const value = headers?.[name]
  return value === undefined ? undefined : (Array.isArray(value) ? value[0] : value)?.toString()
}

function linesOf(value: Buffer | null): number {
  let lines = 0
  for (const byte of value ?? []) if (byte === 0x0a) lines += 1
  return lines
}
