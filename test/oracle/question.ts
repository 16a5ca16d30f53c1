import type { Pool } from '@platform-events/postgres'
import type { OracleEvent } from './events.ts'

/** What is tested: the SQL functions, and the query service over the same database. */
export interface Asked {
  pool: Pool
  /** The JSON that POST /v1/<path> answers. Throws with the body unless it is 200. */
  // biome-ignore lint/suspicious/noExplicitAny: answers of every kind
  post(path: string, body: unknown): Promise<any>
}

/** Something to ask of a world's events, of the oracle and of what is tested. */
export interface Question {
  /** What is asked, e.g. `conversion_funnel`. */
  name: string
  /** The question as one would put it, to be printed. */
  text: string
  expected(events: readonly OracleEvent[]): unknown
  got(asked: Asked): Promise<unknown>
}

/** A value as one would write it in SQL. */
export function literal(value: unknown): string {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return `array[${value.map(literal).join(', ')}]`
  return `'${String(value).replaceAll("'", "''")}'`
}
