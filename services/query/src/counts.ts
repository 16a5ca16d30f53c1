import type { Pool } from '@platform-events/postgres'
import { z } from 'zod'
import { instant, parse, period } from './parse.ts'
import { readOnly } from './read-only.ts'

export const countsQuery = z.strictObject({ from: instant.optional(), to: instant.optional() })

export interface CountsAnswer {
  /** Most frequent first. */
  counts: { event_type: string; event_count: number }[]
  /** Both inclusive, as in the SQL function. */
  from: string
  to: string
}

/**
 * Events per type; the last 30 days unless told.
 *
 * @param query the parsed query string: `from`, `to`
 * @throws RequestError invalid_query, database_unavailable, query_timeout
 */
export async function countByType(pool: Pool, query: unknown, nowMs: number): Promise<CountsAnswer> {
  const { from, to } = period(parse(countsQuery, query), nowMs)
  const found = await readOnly(pool, (client) => client.query<TypeCountRow>(SELECT_COUNTS_BY_TYPE, [from, to]))
  const counts = found.rows.map((row) => ({ event_type: row.event_type, event_count: Number(row.event_count) }))
  return { counts, from, to }
}

interface TypeCountRow {
  event_type: string
  event_count: string
}

const SELECT_COUNTS_BY_TYPE = `
select event_type, event_count
  from public.get_event_counts_by_type(p_start_date => $1::timestamptz, p_end_date => $2::timestamptz)`
