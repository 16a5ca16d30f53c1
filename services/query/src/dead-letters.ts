import { RequestError } from '@platform-events/contracts'
import type { Pool, PoolClient } from '@platform-events/postgres'
import { z } from 'zod'
import { flag } from './operators.ts'
import { parse } from './parse.ts'
import { readOnly } from './read-only.ts'

const whole = z.coerce.number<string>('wants a whole number').int('wants a whole number')

export const deadLettersQuery = z.strictObject({
  reason: z.string().max(100).optional().describe('A reason, or an SQLSTATE'),
  all: flag.optional().describe('Those that are resolved, too'),
  before: whole.min(1).optional().describe('The `next` of the page before'),
  limit: whole.min(1).max(500).default(50).optional(),
})

/** An acknowledged event that could not be stored; without its bytes. */
export interface DeadLetter {
  dead_letter_id: number
  source_id: number | null
  log_id: string
  topic: string
  topic_partition: number
  record_offset: number
  /** Within the record, from 0. */
  line: number
  event_id: string | null
  sqlstate: string | null
  reason: string
  message: string | null
  received_at: string | null
  dead_at: string
  mended_at: string | null
  mended_by: string | null
  resolved_at: string | null
  resolution: string | null
  resolved_by: string | null
  note: string | null
}

/** With its bytes as text. */
export interface DeadLetterInFull extends DeadLetter {
  /** The line as it came; what is no UTF-8 shows as U+FFFD, and `raw_base64` then has the bytes. */
  raw: string
  raw_base64: string | null
  /** The line that was put in its place. */
  mended: string | null
}

/**
 * Dead letters, newest first, a page at a time; those that are not resolved, unless told.
 *
 * @returns `next`: the `before` of the next page; null: this is the last
 * @throws RequestError invalid_query, database_unavailable, query_timeout
 */
export async function listDeadLetters(
  pool: Pool,
  query: unknown,
): Promise<{ dead_letters: DeadLetter[]; next: number | null }> {
  const { reason = null, all = false, before = null, limit = 50 } = parse(deadLettersQuery, query)
  const { rows } = await readOnly(pool, (client) =>
    client.query<LetterRow>(SELECT_PAGE, [reason, all, before, limit + 1]),
  )
  const letters = rows.slice(0, limit).map(toLetter)
  return { dead_letters: letters, next: rows.length > limit ? letters.at(-1)!.dead_letter_id : null }
}

/** @throws RequestError not_found, database_unavailable, query_timeout */
export async function showDeadLetter(pool: Pool, id: number): Promise<DeadLetterInFull> {
  return await readOnly(pool, (client) => readDeadLetter(client, id))
}

/** @throws RequestError not_found */
export async function readDeadLetter(client: PoolClient, id: number): Promise<DeadLetterInFull> {
  const { rows } = await client.query<LetterRow & { raw: Buffer; mended: Buffer | null }>(SELECT_ONE, [id])
  if (rows[0] === undefined) throw new RequestError('not_found', `There is no dead letter ${id}.`)
  const { raw, mended } = rows[0]
  const text = raw.toString('utf8')
  return {
    ...toLetter(rows[0]),
    raw: text,
    raw_base64: Buffer.from(text, 'utf8').equals(raw) ? null : raw.toString('base64'),
    mended: mended?.toString('utf8') ?? null,
  }
}

const COLUMNS = `dead_letter_id, source_id, log_id, topic, topic_partition, record_offset, line, event_id, sqlstate, reason, message,
       received_at, dead_at, mended_at, mended_by, resolved_at, resolution, resolved_by, note`

const SELECT_PAGE = `
select ${COLUMNS}
  from events_internal.dead_letters
 where ($1::text is null or reason = $1 or sqlstate = $1)
   and ($2 or resolved_at is null)
   and ($3::bigint is null or dead_letter_id < $3)
 order by dead_letter_id desc
 limit $4`

const SELECT_ONE = `
select ${COLUMNS}, raw, mended
  from events_internal.dead_letters
 where dead_letter_id = $1`

type Times = 'dead_at' | 'received_at' | 'mended_at' | 'resolved_at'

/** As node-postgres reads it: int8 as text. */
interface LetterRow extends Omit<DeadLetter, 'dead_letter_id' | 'record_offset' | Times>, Record<Times, Date | null> {
  dead_letter_id: string
  record_offset: string
}

function toLetter(row: LetterRow): DeadLetter {
  return {
    dead_letter_id: Number(row.dead_letter_id),
    source_id: row.source_id,
    log_id: row.log_id,
    topic: row.topic,
    topic_partition: row.topic_partition,
    record_offset: Number(row.record_offset),
    line: row.line,
    event_id: row.event_id,
    sqlstate: row.sqlstate,
    reason: row.reason,
    message: row.message,
    received_at: row.received_at?.toISOString() ?? null,
    dead_at: row.dead_at!.toISOString(),
    mended_at: row.mended_at?.toISOString() ?? null,
    mended_by: row.mended_by,
    resolved_at: row.resolved_at?.toISOString() ?? null,
    resolution: row.resolution,
    resolved_by: row.resolved_by,
    note: row.note,
  }
}
