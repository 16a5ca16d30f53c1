import { randomBytes, randomUUID } from 'node:crypto'
import { uuidv7Generator, type WireEvent } from '@platform-events/contracts'
import type { LogRecord } from '@platform-events/event-log'

const DAY_MS = 86_400_000
const newId = uuidv7Generator()

/** Some events of one visitor whose clock says this; unlike the trackers' they have no stream. */
export function eventsAt(createdAtMs: number, count = 3): WireEvent[] {
  const session = randomUUID()
  return Array.from({ length: count }, (_, index) => ({
    id: newId(),
    event_type: 'SearchStarted',
    session_id: session,
    created_at: new Date(createdAtMs + index).toISOString(),
    properties: { city: 'Leticia', n: `made-${session}-${index}` },
  }))
}

/** So large that two requests of them fill a spool of 1 MiB. */
export function paddedEvents(): WireEvent[] {
  return eventsAt(Date.now(), 16).map((event) => ({
    ...event,
    properties: { ...event.properties, padding: randomBytes(12_000).toString('base64') },
  }))
}

/** The start of a UTC day, as `YYYYMMDD`, and noon of it. */
export function dayFromToday(days: number): { name: string; noonMs: number } {
  const midnight = Math.floor(Date.now() / DAY_MS + days) * DAY_MS
  return { name: new Date(midnight).toISOString().slice(0, 10).replaceAll('-', ''), noonMs: midnight + DAY_MS / 2 }
}

export interface PoisonedRecord {
  record: LogRecord
  good: WireEvent[]
  bad: WireEvent
  /** What the bad line should have been. */
  mended: string
}

/** A record that no collector of ours writes: lines that are no event and a number that jsonb refuses, among good events. */
export function poisonedRecord(sourceId: number): PoisonedRecord {
  const [first, refused, last] = eventsAt(Date.now()) as [WireEvent, WireEvent, WireEvent]
  const line = ({ properties, ...head }: WireEvent): string => JSON.stringify({ ...head, properties })
  // Beyond what Postgres' numeric holds: 131,072 digits before the point.
  const hugeNumber = line(refused).replace('"city":', '"huge":1e140000,"city":')
  const lines = [line(first), '{"this is":"no event"}', hugeNumber, 'nor is this', line(last)]
  const record: LogRecord = {
    key: first.session_id!,
    value: Buffer.from(`${lines.join('\n')}\n`),
    headers: {
      ...{ schema: '1', source_id: sourceId, batch_id: randomUUID(), events: lines.length },
      received_at: new Date().toISOString(),
    },
  }
  return { record, good: [first, last], bad: refused, mended: line(refused) }
}
