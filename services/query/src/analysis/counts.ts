import { TYPE_BREAKDOWN } from '@platform-events/analytics'
import { z } from 'zod'
import { isoOfMicros } from '../iso-micros.ts'
import { type Asking, analysis } from './analysis.ts'
import { requireFewBuckets } from './bucket-limit.ts'
import { count, time } from './funnel-shapes.ts'
import { requireAnswerable } from './known.ts'
import { eventTypes, filters, filtersOn, property } from './match-request.ts'
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
  // The rollup may be mended, and then no day's segment changes.
  range: (asked, nowMs) => (maySumHours(asked) ? null : rangeOf(asked, nowMs)),
  async run(asking, asked) {
    const { from, to } = rangeOf(asked, asking.nowMs)
    const counts = asked.unique ? await countUniques(asking, asked) : await countSeries(asking, asked)
    return { counts, from, to }
  },
  csv: {
    columns: ['bucket', 'event_type', 'breakdown', 'events', 'actors'],
    rows: ({ counts }) => counts.map((row) => [row.bucket, row.event_type, row.breakdown, row.events, row.actors]),
  },
})

type Asked = z.output<typeof request>
type Counts = z.output<typeof answer>['counts']

/** Whether SQL may answer from the rollup. */
function maySumHours({ unique, where, bucket, breakdown }: Asked): boolean {
  const isByType = breakdown === undefined || breakdown === TYPE_BREAKDOWN
  return !unique && where.length === 0 && bucket !== 'minute' && isByType
}

/** From the rollup, where it can. */
async function countSeries({ client, nowMs }: Asking, asked: Asked): Promise<Counts> {
  const { from, to } = rangeOf(asked, nowMs)
  const { rows } = await client.query<SeriesRow>(SELECT_SERIES, [
    asked.event_types ?? null,
    ...[from, to, asked.bucket, asked.breakdown ?? null],
    ...[JSON.stringify(asked.where), asked.time_zone],
  ])
  return rows.map(({ bucket, event_type, breakdown, events }) => ({
    bucket: bucket.toISOString(),
    ...{ event_type, breakdown, events: Number(events), actors: null },
  }))
}

interface SeriesRow {
  bucket: Date
  event_type: string | null
  breakdown: string | null
  events: string
}

async function countUniques(asking: Asking, asked: Asked): Promise<Counts> {
  const range = rangeOf(asked, asking.nowMs)
  const { fromMicros, toMicros } = range
  const { event_types, bucket, breakdown = null, time_zone: timeZone } = asked
  const where = filtersOn(asked.where)
  await requireAnswerable(asking.client, event_types ?? [], range)
  requireFewBuckets(bucket, range)
  if (fromMicros === toMicros) return []
  const isByType = breakdown === TYPE_BREAKDOWN
  const properties = [...where.map((filter) => filter.property), ...(breakdown === null || isByType ? [] : [breakdown])]
  const { slices } = await asking.read({
    ...{ fromMicros, toMicros, unit: 'actor', eventTypes: event_types ?? null, columns: [...new Set(properties)] },
    ...{ sequence: false, nobody: true },
  })
  const question = { eventTypes: event_types ?? null, where, fromMicros, toMicros, bucket, timeZone, breakdown }
  const rows = await asking.walk({ walk: 'counts', ...question }, slices)
  return rows.map(({ bucketMicros, value, events, actors }) => ({
    bucket: isoOfMicros(bucketMicros),
    ...{ event_type: isByType ? value : null, breakdown: isByType ? null : value, events, actors },
  }))
}

const SELECT_SERIES = `
select bucket, event_type, breakdown, events
  from public.event_counts(
         p_types => $1::text[], p_from => $2::timestamptz, p_to => $3::timestamptz, p_bucket => $4::text,
         p_breakdown => $5::text, p_filter => $6::jsonb, p_time_zone => $7::text)`
