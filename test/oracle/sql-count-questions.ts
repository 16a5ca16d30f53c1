import type { ActiveQuestion } from './active.ts'
import { expectedActive, expectedRetention, expectedTimeBetween, expectedTopValues } from './count-expected.ts'
import { type CountsQuestion, eventCounts } from './counts.ts'
import { durationOf, isoOf, toJson } from './definition.ts'
import type { OracleFunnel } from './funnel.ts'
import { type PathsQuestion, paths } from './paths.ts'
import { literal, type Question } from './question.ts'
import type { RetentionQuestion } from './retention.ts'
import { filledBins, micros, millionths, topValuesRows, whole } from './rows.ts'
import type { TopValuesQuestion } from './top-values.ts'

/** @param unique else only events are counted, from the hourly counts where they can be */
export function sqlCounts(asked: CountsQuestion, unique: boolean): Question {
  const { types, from, to, bucket, breakdown, filter, timeZone } = asked
  const values = [types, isoOf(from), isoOf(to), bucket, breakdown, JSON.stringify(filter), timeZone, unique]
  const sorted = (rows: unknown[][]) => rows.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  return {
    name: 'event_counts',
    text: `select * from event_counts(${values.map(literal).join(', ')})`,
    expected: (all) =>
      sorted(
        eventCounts(all, asked).map(({ bucket, value, events, actors }) => [
          bucket,
          value,
          events,
          unique ? actors : null,
        ]),
      ),
    got: async ({ pool }) => {
      const { rows } = await pool.query(
        `select ${bucket === 'all' ? '0' : micros('bucket')} as bucket, coalesce(breakdown, event_type) as value, events, actors
         from public.event_counts($1, $2, $3, $4, $5, $6, $7, $8)`,
        values,
      )
      return sorted(rows.map((row) => [Number(row.bucket), row.value, Number(row.events), whole(row.actors)]))
    },
  }
}

export function sqlPaths(asked: PathsQuestion): Question {
  const { start, end, from, to, depth, window, types } = asked
  const values = [start, end, isoOf(from), isoOf(to), depth, durationOf(window), types, 10_000]
  return {
    name: 'paths',
    text: `select * from paths(${values.map(literal).join(', ')})`,
    expected: (all) => paths(all, asked),
    got: async ({ pool }) => {
      const { rows } = await pool.query('select * from public.paths($1, $2, $3, $4, $5, $6, $7, $8)', values)
      return rows.map(({ path, actors, occurrences }) => ({
        path,
        actors: Number(actors),
        occurrences: Number(occurrences),
      }))
    },
  }
}

export function sqlRetention(asked: RetentionQuestion): Question {
  const { first, returning, from, to, unit, periods, timeZone } = asked
  const values = [first, returning, isoOf(from), isoOf(to), unit, periods, timeZone]
  return {
    name: 'retention',
    text: `select * from retention(${values.map(literal).join(', ')})`,
    expected: (all) => expectedRetention(all, asked),
    got: async ({ pool }) => {
      const { rows } = await pool.query(
        `select ${micros('cohort')} as cohort, size, period, actors, rate, open
         from public.retention($1, $2, $3, $4, $5, $6, $7) where size > 0 and period < $6 order by cohort, period`,
        values,
      )
      return rows.map((row) => ({
        cohort: Number(row.cohort),
        size: Number(row.size),
        period: Number(row.period),
        actors: Number(row.actors),
        open: row.open,
        rate: millionths(row.rate),
      }))
    },
  }
}

export function sqlActive(asked: ActiveQuestion): Question {
  const values = [isoOf(asked.from), isoOf(asked.to), asked.types, asked.timeZone]
  return {
    name: 'active_actors',
    text: `select * from active_actors(${values.map(literal).join(', ')})`,
    expected: (all) => expectedActive(all, asked),
    got: async ({ pool }) => {
      const { rows } = await pool.query(
        `select ${micros('day')} as day, daily, weekly, monthly, stickiness from public.active_actors($1, $2, $3, $4) order by day`,
        values,
      )
      return rows.map((row) => ({
        day: Number(row.day),
        daily: Number(row.daily),
        weekly: Number(row.weekly),
        monthly: Number(row.monthly),
        stickiness: millionths(row.stickiness),
      }))
    },
  }
}

export function sqlTimeBetween(funnel: OracleFunnel): Question {
  const [first, second] = toJson(funnel)['steps'] as unknown[]
  const values = [
    JSON.stringify(first),
    JSON.stringify(second),
    isoOf(funnel.from),
    isoOf(funnel.to),
    durationOf(funnel.window),
  ]
  return {
    name: 'time_between',
    text: `select * from time_between(${values.map(literal).join(', ')})`,
    expected: (all) => expectedTimeBetween(all, funnel),
    got: async ({ pool }) => {
      const { rows } = await pool.query(
        `select actors, ${micros('p50')} as p50, ${micros('p75')} as p75, ${micros('p90')} as p90, ${micros('mean')} as mean, histogram
         from public.time_between($1, $2, $3, $4, $5)`,
        values,
      )
      const { histogram, ...numbers } = rows[0]
      const times = Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, whole(value)]))
      return { ...times, histogram: filledBins(histogram) }
    },
  }
}

export function sqlTopValues(asked: TopValuesQuestion): Question {
  const values = [asked.type, asked.property, isoOf(asked.from), isoOf(asked.to), 1000]
  return {
    name: 'top_values',
    text: `select * from top_values(${values.map(literal).join(', ')})`,
    expected: (all) => expectedTopValues(all, asked),
    got: async ({ pool }) => {
      const { rows } = await pool.query('select * from public.top_values($1, $2, $3, $4, $5)', values)
      return topValuesRows(rows)
    },
  }
}
