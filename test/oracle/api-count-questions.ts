import type { ActiveQuestion } from './active.ts'
import { expectedActive, expectedRetention, expectedTimeBetween, expectedTopValues } from './count-expected.ts'
import { type CountsQuestion, eventCounts } from './counts.ts'
import { durationOf, isoOf, microsOf, toJson } from './definition.ts'
import type { OracleFunnel } from './funnel.ts'
import { type PathsQuestion, paths } from './paths.ts'
import type { Question } from './question.ts'
import type { RetentionQuestion } from './retention.ts'
import { filledBins, millionths, topValuesRows } from './rows.ts'
import type { TopValuesQuestion } from './top-values.ts'

export function apiCounts(asked: CountsQuestion, unique: boolean): Question {
  const { types, from, to, bucket, breakdown, filter, timeZone } = asked
  const body = {
    ...(types ? { event_types: types } : {}),
    from: isoOf(from),
    to: isoOf(to),
    bucket,
    ...(breakdown ? { breakdown } : {}),
    where: filter,
    time_zone: timeZone,
    unique,
  }
  const sorted = (rows: unknown[][]) => rows.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  return {
    name: 'POST /v1/counts',
    text: JSON.stringify(body),
    expected: (all) =>
      sorted(
        eventCounts(all, asked).map(({ bucket, value, events, actors }) => [
          bucket,
          value,
          events,
          unique ? actors : null,
        ]),
      ),
    got: async ({ post }) =>
      sorted(
        (await post('counts', body)).counts.map((row: Row) => [
          bucket === 'all' ? 0 : microsOf(row.bucket),
          row.breakdown ?? row.event_type,
          row.events,
          row.actors,
        ]),
      ),
  }
}

export function apiPaths(asked: PathsQuestion): Question {
  const { start, end, from, to, depth, window, types } = asked
  const body = {
    ...(start === null ? { end } : { start }),
    from: isoOf(from),
    to: isoOf(to),
    depth,
    window: durationOf(window),
    ...(types ? { event_types: types } : {}),
    limit: 1000,
  }
  return {
    name: 'POST /v1/paths',
    text: JSON.stringify(body),
    expected: (all) => paths(all, asked),
    got: async ({ post }) => (await post('paths', body)).paths,
  }
}

export function apiRetention(asked: RetentionQuestion): Question {
  const { first, returning, from, to, unit, periods, timeZone } = asked
  const body = { first, returning, from: isoOf(from), to: isoOf(to), unit, periods, time_zone: timeZone }
  return {
    name: 'POST /v1/retention',
    text: JSON.stringify(body),
    expected: (all) => expectedRetention(all, asked),
    got: async ({ post }) =>
      (await post('retention', body)).cohorts.flatMap(({ cohort, size, periods }: Cohort) =>
        periods.map(({ rate, ...row }) => ({ cohort: microsOf(cohort), size, ...row, rate: millionths(rate) })),
      ),
  }
}

export function apiActive(asked: ActiveQuestion): Question {
  const { from, to, types, timeZone } = asked
  const body = {
    from: isoOf(from),
    to: isoOf(to),
    ...(types ? { event_types: types } : {}),
    time_zone: timeZone,
  }
  return {
    name: 'POST /v1/active-actors',
    text: JSON.stringify(body),
    expected: (all) => expectedActive(all, asked),
    got: async ({ post }) =>
      (await post('active-actors', body)).days.map(({ day, stickiness, ...row }: Day) => ({
        day: microsOf(day),
        ...row,
        stickiness: millionths(stickiness),
      })),
  }
}

export function apiTimeBetween(funnel: OracleFunnel): Question {
  const [first, second] = toJson(funnel)['steps'] as unknown[]
  const body = { first, second, from: isoOf(funnel.from), to: isoOf(funnel.to), window: durationOf(funnel.window) }
  return {
    name: 'POST /v1/time-between',
    text: JSON.stringify(body),
    expected: (all) => expectedTimeBetween(all, funnel),
    got: async ({ post }) => {
      const { actors, p50, p75, p90, mean, histogram } = await post('time-between', body)
      const [median, third, ninth, average] = [p50, p75, p90, mean].map(millionths)
      return { actors, p50: median, p75: third, p90: ninth, mean: average, histogram: filledBins(histogram) }
    },
  }
}

export function apiTopValues({ type, property, from, to }: TopValuesQuestion): Question {
  const body = { event_type: type, property, from: isoOf(from), to: isoOf(to), limit: 1000 }
  return {
    name: 'POST /v1/top-values',
    text: JSON.stringify(body),
    expected: (all) => expectedTopValues(all, { type, property, from, to }),
    got: async ({ post }) => topValuesRows((await post('top-values', body)).values),
  }
}

interface Row {
  bucket: string
  event_type: string | null
  breakdown: string | null
  events: number
  actors: number | null
}

interface Cohort {
  cohort: string
  size: number
  periods: { period: number; actors: number; rate: number; open: boolean }[]
}

interface Day {
  day: string
  daily: number
  weekly: number
  monthly: number
  stickiness: number | null
}
