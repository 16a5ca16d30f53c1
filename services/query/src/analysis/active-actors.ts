import { activeActorsRange, DAY_MICROS } from '@platform-events/analytics'
import type { PoolClient } from '@platform-events/postgres'
import { z } from 'zod'
import { isoOfMicros } from '../iso-micros.ts'
import { analysis } from './analysis.ts'
import { requireFewBuckets } from './bucket-limit.ts'
import { unknownTypes } from './funnel-request.ts'
import { count, rate, time } from './funnel-shapes.ts'
import { requireAnswerable } from './known.ts'
import { eventTypes } from './match-request.ts'
import { periodFields, type Range, rangeOf } from './period.ts'
import { timeZone } from './time-zone.ts'

const request = z.strictObject({
  ...periodFields,
  event_types: eventTypes.optional().describe('All unless told'),
  time_zone: timeZone.default('UTC'),
  unknown_types: unknownTypes,
})

const answer = z.object({
  days: z.array(
    z.object({
      day: time.describe('Its begin'),
      daily: count,
      weekly: count.nullable().describe('In the 7 days that end with it; null where rows of them are dropped'),
      monthly: count.nullable().describe('In the 30 days that end with it; null where rows of them are dropped'),
      stickiness: rate.describe('daily / monthly, a fraction of 1'),
    }),
  ),
  from: time,
  to: time,
})

function questionOf(asked: z.output<typeof request>, { fromMicros, toMicros }: Range) {
  return { eventTypes: asked.event_types ?? null, fromMicros, toMicros, timeZone: asked.time_zone }
}

export const activeActors = analysis({
  path: 'active-actors',
  name: 'ActiveActors',
  summary: 'How many actors were active: daily, weekly, monthly, and how much of a month’s come daily.',
  request,
  answer,
  // The 29 days before, too.
  range(asked, nowMs) {
    const range = rangeOf(asked, nowMs)
    requireFewBuckets('day', range)
    return { ...range, ...activeActorsRange(questionOf(asked, range)) }
  },
  async run(asking, asked) {
    const range = rangeOf(asked, asking.nowMs)
    const question = questionOf(asked, range)
    const { fromMicros, toMicros, firstDayMicros } = activeActorsRange(question)
    await requireAnswerable(asking.client, asked.unknown_types === 'allow' ? [] : (question.eventTypes ?? []), {
      from: isoOfMicros(firstDayMicros),
      to: isoOfMicros(toMicros),
    })
    const { slices } = await asking.read({
      ...{ fromMicros, toMicros },
      ...{ unit: 'actor', eventTypes: question.eventTypes, columns: [], sequence: false, nobody: false },
    })
    const rows = await asking.walk({ walk: 'active', ...question }, slices)
    const lost = await lostBefore(asking.client, question)
    const days = rows.map(({ dayMicros, daily, weekly, monthly, stickiness }, at) => {
      const isWhole = (length: number): boolean =>
        lost === null || (rows[at + 1 - length]?.dayMicros ?? startOf(question, dayMicros, length)) >= lost
      return {
        day: isoOfMicros(dayMicros),
        daily,
        weekly: isWhole(7) ? weekly : null,
        monthly: isWhole(30) ? monthly : null,
        stickiness: isWhole(30) ? stickiness : null,
      }
    })
    return { days, from: range.from, to: range.to }
  },
  csv: {
    columns: ['day', 'daily', 'weekly', 'monthly', 'stickiness'],
    rows: ({ days }) => days.map((row) => [row.day, row.daily, row.weekly, row.monthly, row.stickiness]),
  },
})

type Asked = ReturnType<typeof questionOf>

/** Before when events that would be needed are dropped, microseconds since 1970; null where none is. */
async function lostBefore(client: PoolClient, question: Asked): Promise<number | null> {
  const { fromMicros } = activeActorsRange(question)
  const { rows } = await client.query<{ lost: string | null }>(SELECT_LOST, [
    isoOfMicros(fromMicros),
    isoOfMicros(question.toMicros),
  ])
  const lost = rows[0]?.lost
  return lost == null ? null : Number(lost)
}

const SELECT_LOST = `
select (date_part('epoch', nullif(events_internal.lost_before($1::timestamptz, $2::timestamptz), '-infinity')) * 1000000)::bigint as lost`

/** Where the days begin, so many, that end with that one. */
function startOf(question: Asked, dayMicros: number, length: number): number {
  // The range of a day begins 29 before it. Noon, because not every day has 24 hours.
  const fromMicros = dayMicros + (30 - length) * DAY_MICROS + DAY_MICROS / 2
  return activeActorsRange({ ...question, fromMicros, toMicros: fromMicros + 1 }).fromMicros
}
