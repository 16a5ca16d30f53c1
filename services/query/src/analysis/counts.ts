import { z } from 'zod'
import { analysis } from './analysis.ts'
import { count, time } from './funnel-shapes.ts'
import { eventTypes, filters, property } from './match-request.ts'
import { periodFields, rangeOf } from './period.ts'
import { timeZone } from './time-zone.ts'

const request = z.strictObject({
  event_types: eventTypes.optional().describe('All unless told'),
  ...periodFields,
  bucket: z.enum(['minute', 'hour', 'day', 'week', 'month', 'all']).default('day').describe('Weeks begin on Monday'),
  breakdown: z.union([property, z.enum(['$event_type', '$source'])]).optional(),
  where: filters.default([]),
  time_zone: timeZone.default('UTC'),
  unique: z.boolean().default(false).describe('Count actors, too'),
})

const answer = z.object({
  counts: z.array(
    z.object({
      bucket: time.describe('Its begin'),
      event_type: z.string().nullable().describe('Null unless broken down by $event_type'),
      breakdown: z.string().nullable().describe('The value of the property, or of $source; null where absent'),
      events: count,
      actors: count.nullable().describe('Null unless unique'),
    }),
  ),
  from: time,
  to: time,
})

export const eventCounts = analysis({
  path: 'counts',
  name: 'EventCounts',
  summary: 'How many events, and of how many actors, over time: by type, property or source, filtered.',
  request,
  answer,
  range: rangeOf,
  async run({ client, nowMs }, asked) {
    const { from, to } = rangeOf(asked, nowMs)
    const { rows } = await client.query<CountRow>(SELECT_COUNTS, [
      asked.event_types ?? null,
      ...[from, to, asked.bucket, asked.breakdown ?? null],
      ...[JSON.stringify(asked.where), asked.time_zone, asked.unique],
    ])
    const counts = rows.map((row) => ({
      bucket: row.bucket.toISOString(),
      event_type: row.event_type,
      breakdown: row.breakdown,
      events: Number(row.events),
      actors: row.actors === null ? null : Number(row.actors),
    }))
    return { counts, from, to }
  },
  csv: {
    columns: ['bucket', 'event_type', 'breakdown', 'events', 'actors'],
    rows: ({ counts }) => counts.map((row) => [row.bucket, row.event_type, row.breakdown, row.events, row.actors]),
  },
})

interface CountRow {
  bucket: Date
  event_type: string | null
  breakdown: string | null
  events: string
  actors: string | null
}

const SELECT_COUNTS = `
select bucket, event_type, breakdown, events, actors
  from public.event_counts(
         p_types => $1::text[], p_from => $2::timestamptz, p_to => $3::timestamptz, p_bucket => $4::text,
         p_breakdown => $5::text, p_filter => $6::jsonb, p_time_zone => $7::text, p_unique => $8::boolean)`
