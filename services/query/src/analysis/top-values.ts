import { z } from 'zod'
import { analysis } from './analysis.ts'
import { count, rate, time } from './funnel-shapes.ts'
import { eventType, property } from './match-request.ts'
import { periodFields, rangeOf } from './period.ts'

const request = z.strictObject({
  event_type: eventType,
  property,
  ...periodFields,
  limit: z.int().min(1).max(1000).default(20),
})

const answer = z.object({
  values: z.array(
    z.object({
      value: z.string().nullable().describe('Null where absent'),
      events: count,
      actors: count,
      share: rate.describe('Of the events of the type, a fraction of 1'),
    }),
  ),
  from: time,
  to: time,
})

export const topValues = analysis({
  path: 'top-values',
  name: 'TopValues',
  summary: 'The most frequent values of a property of an event type.',
  request,
  answer,
  range: rangeOf,
  async run({ client, nowMs }, asked) {
    const { from, to } = rangeOf(asked, nowMs)
    const { rows } = await client.query<ValueRow>(SELECT_VALUES, [
      ...[asked.event_type, asked.property, from, to],
      asked.limit,
    ])
    const values = rows.map(({ value, events, actors, share }) => ({
      value,
      events: Number(events),
      actors: Number(actors),
      share: share === null ? null : Number(share),
    }))
    return { values, from, to }
  },
  csv: {
    columns: ['value', 'events', 'actors', 'share'],
    rows: ({ values }) => values.map((row) => [row.value, row.events, row.actors, row.share]),
  },
})

interface ValueRow {
  value: string | null
  events: string
  actors: string
  share: string | null
}

const SELECT_VALUES = `
select value, events, actors, share
  from public.top_values(
         p_event_type => $1::text, p_property => $2::text, p_from => $3::timestamptz, p_to => $4::timestamptz, p_limit => $5::int)`
