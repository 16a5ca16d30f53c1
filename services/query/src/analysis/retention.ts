import { DAY_MICROS, retentionRange } from '@platform-events/analytics'
import { z } from 'zod'
import { isoOfMicros } from '../iso-micros.ts'
import { analysis } from './analysis.ts'
import { requireFewBuckets } from './bucket-limit.ts'
import { unknownTypes } from './funnel-request.ts'
import { count, rate, time } from './funnel-shapes.ts'
import { requireAnswerable } from './known.ts'
import { eventType } from './match-request.ts'
import { periodFields, type Range, rangeOf } from './period.ts'
import { timeZone } from './time-zone.ts'

const request = z.strictObject({
  first: eventType
    .nullable()
    .default(null)
    .describe('Whose first of these in the range makes the cohort; null: any event'),
  returning: eventType.nullable().default(null).describe('What counts as coming back; null: any event'),
  ...periodFields,
  unit: z.enum(['day', 'week', 'month']).default('week').describe('Weeks begin on Monday'),
  periods: z.int().min(1).max(100).default(8).describe('With that of the first event, which is 0'),
  time_zone: timeZone.default('UTC'),
  unknown_types: unknownTypes,
})

const answer = z.object({
  cohorts: z.array(
    z.object({
      cohort: time.describe('Begin of the period of the first event'),
      size: count,
      periods: z.array(
        z.object({
          period: count,
          actors: count,
          rate: rate.describe('Of the cohort, a fraction of 1'),
          open: z.boolean().describe('The period is not over'),
        }),
      ),
    }),
  ),
  from: time,
  to: time,
})

function questionOf(asked: z.output<typeof request>, { fromMicros, toMicros }: Range, nowMs: number) {
  const { first, returning, unit, periods, time_zone } = asked
  return { first, returning, fromMicros, toMicros, unit, periods, timeZone: time_zone, nowMicros: nowMs * 1000 }
}

/** With the periods after the last. @throws RequestError invalid_query */
function requireCohorts({ unit, periods }: z.output<typeof request>, { fromMicros, toMicros }: Range): void {
  requireFewBuckets(unit, { fromMicros, toMicros: toMicros + (periods + 2) * PERIOD_MICROS[unit] })
}

const PERIOD_MICROS = { day: DAY_MICROS, week: 7 * DAY_MICROS, month: 30 * DAY_MICROS }

export const retention = analysis({
  path: 'retention',
  name: 'Retention',
  summary: 'Who comes back: by the day, week or month of their first event.',
  request,
  answer,
  // Until the last period ends people may come back, whatever `to`.
  range(asked, nowMs) {
    const range = rangeOf(asked, nowMs)
    if (range.fromMicros >= range.toMicros) return range
    requireCohorts(asked, range)
    const seen = retentionRange(questionOf(asked, range, nowMs))
    return { ...range, ...seen }
  },
  async run(asking, asked) {
    const range = rangeOf(asked, asking.nowMs)
    const types = [asked.first, asked.returning].filter((type) => type !== null)
    await requireAnswerable(asking.client, asked.unknown_types === 'allow' ? [] : types, range)
    if (range.fromMicros >= range.toMicros) return { cohorts: [], from: range.from, to: range.to }
    const question = questionOf(asked, range, asking.nowMs)
    const { slices } = await asking.read({
      ...retentionRange(question),
      ...{ unit: 'actor', eventTypes: types.length === 2 ? [...new Set(types)] : null, columns: [] },
      // Where any event may be the first, which of those of its microsecond it is decides whether the others are a return.
      ...{ sequence: asked.first === null, nobody: false },
    })
    const rows = await asking.walk({ walk: 'retention', ...question }, slices)
    const cohorts = rows
      .filter(({ period }) => period === 0)
      .map(({ cohortMicros, size }, at) => ({
        cohort: isoOfMicros(cohortMicros),
        size,
        periods: rows
          .slice(at * asked.periods, (at + 1) * asked.periods)
          .map(({ period, actors, rate: share, open }) => ({ period, actors, rate: share, open })),
      }))
    return {
      cohorts,
      from: range.from,
      to: range.to,
    }
  },
  csv: {
    columns: ['cohort', 'size', 'period', 'actors', 'rate', 'open'],
    rows: ({ cohorts }) =>
      cohorts.flatMap(({ cohort, size, periods }) =>
        periods.map((row) => [cohort, size, row.period, row.actors, row.rate, row.open]),
      ),
  },
})
