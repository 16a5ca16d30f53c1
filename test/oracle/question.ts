import type { OracleEvent } from './events.ts'

/** Something to ask of a world's events, of the oracle and of what is tested. */
export interface Question<Asked> {
  /** What is asked, e.g. `conversion_funnel`. */
  name: string
  /** The question as one would put it, to be printed. */
  text: string
  expected(events: readonly OracleEvent[]): unknown
  got(asked: Asked): Promise<unknown>
}

/** A SQL value of type timestamptz or interval as microseconds; null stays null. */
export function micros(sql: string): string {
  return `(extract(epoch from ${sql}) * 1000000)::bigint`
}

/** A whole number as pg gives bigint, and null. */
export function whole(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}

/** A share of 1 in millionths. */
export function millionths(value: unknown): number | null {
  return value === null || value === undefined ? null : Math.round(Number(value) * 1_000_000)
}
