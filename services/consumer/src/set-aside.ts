import type { PoolClient } from '@platform-events/postgres'
import type { DeadLine } from './event-row.ts'
import type { QuarantinedRow } from './prepared-batch.ts'

const KEEP_DEAD = `
  with dead as (
    insert into events_internal.dead_letters
      (source_id, log_id, topic, topic_partition, record_offset, line, event_id, sqlstate, reason, message, raw, received_at,
       record_key)
    select * from unnest($1::smallint[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::int[], $7::uuid[], $8::text[],
      $9::text[], $10::text[], $11::bytea[], $12::timestamptz[], $13::bytea[])
    on conflict do nothing
    returning dead_letter_id, log_id, topic, topic_partition, record_offset, line
  ), to_publish as (
    insert into events_internal.dead_letter_outbox select dead_letter_id from dead where $14
  )
  select log_id, topic, topic_partition, record_offset, line from dead`

/** A key of ours is a session's id, 128 characters at most. A longer one, of somebody else's, is not kept with each of its lines. */
const KEY_BYTES = 1024

const KEEP_QUARANTINED = `
  insert into events_internal.quarantined_events
    (source_id, event_id, event_type, reason, created_at, received_at, raw)
  select * from unnest($1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bytea[])
  on conflict do nothing
  returning event_id, created_at`

/**
 * Keeps what could not be stored, with its bytes and where it came from. Once: a line has one place in the log.
 *
 * @param publish the letters are to go to their topic, too
 * @returns those that were new; the others were delivered again
 */
export async function keepDead(client: PoolClient, dead: DeadLine[], publish: boolean): Promise<DeadLine[]> {
  if (dead.length === 0) return []
  const kept = await client.query<KeptRow>(KEEP_DEAD, [
    dead.map(({ origin }) => origin.sourceId || null),
    dead.map(({ origin }) => origin.topicPartition.logId),
    dead.map(({ origin }) => origin.topicPartition.topic),
    dead.map(({ origin }) => origin.topicPartition.partition),
    dead.map(({ origin }) => origin.offset),
    dead.map(({ line }) => line),
    dead.map(({ eventId }) => eventId),
    dead.map(({ sqlstate }) => sqlstate),
    dead.map(({ reason }) => reason),
    dead.map(({ message }) => message),
    dead.map(rawOf),
    dead.map(({ origin }) => time(origin.receivedAt)),
    dead.map(({ origin }) => keyOf(origin.key)),
    publish,
  ])
  const isNew = new Set(
    kept.rows.map((row) => placeOf(row.log_id, row.topic, row.topic_partition, row.record_offset, row.line)),
  )
  return dead.filter(({ origin: { topicPartition, offset }, line }) =>
    isNew.has(placeOf(topicPartition.logId, topicPartition.topic, topicPartition.partition, offset, line)),
  )
}

interface KeptRow {
  log_id: string
  topic: string
  topic_partition: number
  record_offset: string
  line: number
}

function placeOf(logId: string, topic: string, partition: number, offset: number | string, line: number): string {
  return JSON.stringify([logId, topic, partition, String(offset), line])
}

function keyOf(text: string): Buffer | null {
  const key = Buffer.from(text)
  return key.length === 0 || key.length > KEY_BYTES ? null : key
}

/** Keeps events outside the late window. Once: sent again, they have the same id and time. @returns those that were new */
export async function keepQuarantined(client: PoolClient, quarantined: QuarantinedRow[]): Promise<QuarantinedRow[]> {
  if (quarantined.length === 0) return []
  const kept = await client.query<{ event_id: string; created_at: Date }>(KEEP_QUARANTINED, [
    quarantined.map(({ row }) => row.origin.sourceId),
    quarantined.map(({ row }) => row.id),
    quarantined.map(({ row }) => row.eventType.replaceAll('\0', '')),
    quarantined.map(({ reason }) => reason),
    quarantined.map(({ row }) => time(row.createdAt)),
    quarantined.map(({ row }) => time(row.origin.receivedAt)),
    quarantined.map(({ row }) => rawOf(row)),
  ])
  const isNew = new Set(kept.rows.map(({ event_id, created_at }) => `${event_id} ${created_at.toISOString()}`))
  return quarantined.filter(({ row }) => isNew.delete(`${row.id} ${time(row.createdAt)}`))
}

function rawOf({ origin, start, end }: { origin: DeadLine['origin']; start: number; end: number }): Buffer {
  return origin.value.subarray(start, end)
}

function time(micros: number): string | null {
  return Number.isNaN(micros) ? null : new Date(micros / 1000).toISOString()
}
