import type { DeadLetterMessage } from '@platform-events/event-log'
import type { Pool, PoolClient } from '@platform-events/postgres'

/** A letter that this transaction alone is to publish. */
export interface WaitingLetter {
  id: string
  /** null: somebody deleted the letter by hand. */
  message: DeadLetterMessage | null
}

// The locks are on the outbox, not on the letters. octet_length reads no value that lies outside its row.
const TAKE = `
  with taken as materialized (
    select dead_letter_id from events_internal.dead_letter_outbox
    order by dead_letter_id limit $1 for update skip locked
  ), measured as (
    select taken.dead_letter_id as id, letter.*,
           sum(coalesce(octet_length(raw), 0) + 1000) over (order by taken.dead_letter_id) as bytes
    from taken left join events_internal.dead_letters as letter using (dead_letter_id)
  )
  select id, source_id, log_id, topic, topic_partition, record_offset, line, event_id, sqlstate, reason,
         left(message, 1000) as message, raw, received_at, dead_at, record_key
  from measured
  where bytes <= $2 or id = (select min(dead_letter_id) from taken)
  order by id`

const REMOVE = `delete from events_internal.dead_letter_outbox where dead_letter_id = any($1::bigint[])`

const COUNT = `select count(*)::int as n from events_internal.dead_letter_outbox`

/**
 * The oldest letters that nobody else is publishing, locked until the end of the transaction.
 *
 * @param bytes of all letters together, with 1000 for what is not their bytes; one letter alone may be larger
 */
export async function takeLetters(
  client: PoolClient,
  limits: { letters: number; bytes: number },
): Promise<WaitingLetter[]> {
  const { rows } = await client.query<LetterRow>(TAKE, [limits.letters, limits.bytes])
  return rows.map((row) => ({ id: row.id, message: row.raw === null ? null : toMessage(row, row.raw) }))
}

export async function removeLetters(client: PoolClient, ids: string[]): Promise<void> {
  await client.query(REMOVE, [ids])
}

/** Letters that are not on the topic yet. */
export async function countLetters(pool: Pool): Promise<number> {
  return (await pool.query<{ n: number }>(COUNT)).rows[0]!.n
}

interface LetterRow {
  id: string
  source_id: number | null
  log_id: string
  topic: string
  topic_partition: number
  record_offset: string
  line: number
  event_id: string | null
  sqlstate: string | null
  reason: string
  message: string | null
  raw: Buffer | null
  received_at: Date | null
  dead_at: Date
  record_key: Buffer | null
}

function toMessage(row: LetterRow, value: Buffer): DeadLetterMessage {
  const headers = {
    dead_letter_id: row.id,
    reason: row.reason,
    sqlstate: row.sqlstate,
    message: row.message,
    log_id: row.log_id,
    topic: row.topic,
    partition: row.topic_partition,
    offset: row.record_offset,
    line: row.line,
    source_id: row.source_id,
    event_id: row.event_id,
    received_at: row.received_at?.toISOString(),
    dead_at: row.dead_at.toISOString(),
  }
  return {
    key: row.record_key ?? (row.event_id === null ? null : Buffer.from(row.event_id)),
    value,
    headers: Object.fromEntries(
      Object.entries(headers).flatMap(([name, header]) => (header == null ? [] : [[name, String(header)]])),
    ),
  }
}
