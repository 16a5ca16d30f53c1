import { z } from 'zod'
import { analysis } from './analysis.ts'
import { count, rate, time } from './funnel-shapes.ts'
import { eventType } from './match-request.ts'
import { periodFields, rangeOf } from './period.ts'

const SEVEN_DAYS_MS = 7 * 86_400_000

const request = z.strictObject({
  event_type: eventType.optional().describe('All unless told'),
  from: periodFields.from.describe('Inclusive; 7 days ago unless told'),
  to: periodFields.to,
})

const answer = z.object({
  properties: z.array(
    z.object({
      event_type: z.string(),
      property: z.string().nullable().describe('Null for an event type without any'),
      types: z.array(z.string()).describe('JSON types of its values'),
      filled: rate.describe('Share of the events that have it, a fraction of 1'),
      distinct_values: count.nullable(),
      examples: z.array(z.string()),
    }),
  ),
  from: time,
  to: time,
})

export const eventProperties = analysis({
  path: 'event-properties',
  name: 'EventProperties',
  summary: 'Which properties events have: names, types, how often, examples. Of the newest 10,000 events of each type.',
  request,
  answer,
  range: lastDays,
  async run({ client, nowMs }, asked) {
    const { from, to } = lastDays(asked, nowMs)
    const { rows } = await client.query<PropertyRow>(SELECT_PROPERTIES, [asked.event_type ?? null, from, to])
    const properties = rows.map(({ types, filled, distinct_values, examples, ...row }) => ({
      ...row,
      types: types ?? [],
      filled: filled === null ? null : Number(filled),
      distinct_values: distinct_values === null ? null : Number(distinct_values),
      examples: examples ?? [],
    }))
    return { properties, from, to }
  },
  csv: {
    columns: ['event_type', 'property', 'types', 'filled', 'distinct_values', 'examples'],
    rows: ({ properties }) =>
      properties.map((row) => [
        ...[row.event_type, row.property, row.types.join(' '), row.filled, row.distinct_values],
        JSON.stringify(row.examples),
      ]),
  },
})

function lastDays(asked: { from?: string | undefined; to?: string | undefined }, nowMs: number) {
  const range = rangeOf(asked, nowMs)
  if (asked.from !== undefined) return range
  const from = new Date(Math.min(nowMs, Date.parse(range.to)) - SEVEN_DAYS_MS).toISOString()
  return rangeOf({ from, to: range.to }, nowMs)
}

interface PropertyRow {
  event_type: string
  property: string | null
  types: string[] | null
  filled: string | null
  distinct_values: string | null
  examples: string[] | null
}

const SELECT_PROPERTIES = `
select event_type, property, types, filled, distinct_values, examples
  from public.event_properties(p_event_type => $1::text, p_from => $2::timestamptz, p_to => $3::timestamptz)`
