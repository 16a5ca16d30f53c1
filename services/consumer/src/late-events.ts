import type { PoolClient } from '@platform-events/postgres'
import type { EventRow } from './event-row.ts'
import { isoMicros } from './session-map.ts'

const DAY_MICROS = 86_400_000_000

/** More late rows of one day than this, and reading the day raw until it is built again costs readers less than looking for each of them. */
const MOST_OF_A_DAY = 2000

const DAYS_TO_MARK = `select day::text from events_internal.days_to_mark($1::date[]) as day`

const MARK = `
  insert into events_internal.segment_changes (day, created_at, event_id)
  select day, created_at, event_id from unnest($1::date[], $2::timestamptz[], $3::uuid[]) as late (day, created_at, event_id)`

/**
 * Tells segment_changes which rows came too late for the segment of their day, and nearly always finds that none did. Belongs behind all
 * that stores rows, in the same transaction: whether a segment is being built can be told only once the transaction has its id, which
 * storing gives it (migration 0019 says why no reader can miss a row then).
 */
export async function markLateEvents(client: PoolClient, stored: EventRow[]): Promise<void> {
  if (stored.length === 0) return
  const days = new Set<number>()
  for (const { createdAt } of stored) days.add(Math.floor(createdAt / DAY_MICROS))
  const { rows } = await client.query<{ day: string }>(DAYS_TO_MARK, [[...days].map(dateOf)])
  if (rows.length === 0) return
  const late = rows.flatMap(({ day }) => marksOf(day, stored))
  await client.query(MARK, [
    late.map(({ day }) => day),
    late.map(({ createdAt }) => createdAt),
    late.map(({ id }) => id),
  ])
}

interface Mark {
  day: string
  /** Null: the whole day. */
  createdAt: string | null
  id: string | null
}

function marksOf(day: string, stored: EventRow[]): Mark[] {
  const number = Date.parse(day) / 86_400_000
  const late = stored.filter(({ createdAt }) => Math.floor(createdAt / DAY_MICROS) === number)
  if (late.length > MOST_OF_A_DAY) return [{ day, createdAt: null, id: null }]
  return late.map(({ createdAt, id }) => ({ day, createdAt: isoMicros(createdAt), id }))
}

function dateOf(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10)
}
