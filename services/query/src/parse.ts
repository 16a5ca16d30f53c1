import { LIMITS, RequestError } from '@platform-events/contracts'
import { z } from 'zod'

/** A time of the caller: ISO 8601 with an offset, or a date, which is its first instant in UTC. Passed on as text. */
export const instant = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], {
    error: 'wants an ISO 8601 time with an offset, such as 2026-11-24T09:30:00Z, or a date, such as 2026-11-24',
  })
  .transform((text) => (text.length === 10 ? `${text}T00:00:00Z` : text))

/**
 * Checks what a caller sent.
 *
 * @throws RequestError invalid_query, naming every parameter that is wrong and the form that it wants
 */
export function parse<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  throw new RequestError('invalid_query', result.error.issues.map(describe).join('; '))
}

export interface Period {
  /** ISO 8601, inclusive. */
  from: string
  /** ISO 8601. */
  to: string
}

const THIRTY_DAYS_MS = 30 * 24 * 60 * 60 * 1000

/**
 * Fills in the last 30 days. `to` lies as far ahead as a client's clock may be (5 minutes), so that an event whose
 * time is a little in our future is counted as soon as it is stored.
 *
 * @throws RequestError invalid_query where the period ends before it begins
 */
export function period(given: { from?: string | undefined; to?: string | undefined }, nowMs: number): Period {
  const to = given.to ?? new Date(nowMs + LIMITS.CLOCK_TOLERANCE_MS).toISOString()
  const from = given.from ?? new Date(Math.min(nowMs, Date.parse(to)) - THIRTY_DAYS_MS).toISOString()
  if (Date.parse(from) > Date.parse(to))
    throw new RequestError('invalid_query', `from (${from}) must not be later than to (${to})`)
  return { from, to }
}

function describe(issue: z.core.$ZodIssue): string {
  const where = issue.path.length === 0 ? 'the request' : issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') return `${where} has unknown fields: ${issue.keys.join(', ').slice(0, 200)}`
  return `${where}: ${issue.message}`
}
