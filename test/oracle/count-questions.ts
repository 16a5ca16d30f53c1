import { activeActors } from './active.ts'
import { type CountsQuestion, eventCounts } from './counts.ts'
import { EVENT_TYPES, type World } from './data-sets.ts'
import { durationOf, isoOf } from './definition.ts'
import { makeFilters } from './definitions.ts'
import { type PathsQuestion, paths } from './paths.ts'
import { literal, type Question } from './question.ts'
import type { Choices } from './random.ts'
import { type RetentionQuestion, retention } from './retention.ts'
import { micros, millionths, whole } from './rows.ts'
import { bucketStart } from './time-zones.ts'

const HOUR = 3_600_000_000
const DAY = 24 * HOUR

/** What is asked besides funnels. */
export const COUNT_FORMS = ['counts', 'paths', 'retention', 'active'] as const
export type CountForm = (typeof COUNT_FORMS)[number]

export function countQuestion(form: CountForm, world: World, choices: Choices): Question {
  switch (form) {
    case 'counts':
      return counts(makeCounts(world, choices), choices.chance(0.5))
    case 'paths':
      return pathsFrom(makePaths(world, choices))
    case 'retention':
      return retained(makeRetention(world, choices))
    case 'active':
      return active(makeActive(world, choices))
  }
}

function makeCounts(world: World, choices: Choices): CountsQuestion {
  const coarse = ['hour', 'day', 'week', 'month', 'all'] as const
  const isFine = world.grid !== 'hours' && world.grid !== 'night'
  return {
    types: choices.chance(0.4) ? null : choices.someOf(EVENT_TYPES, choices.whole(1, 3)),
    ...makeRange(world, choices),
    bucket: choices.oneOf(isFine ? [...coarse, 'minute'] : coarse),
    breakdown: choices.chance(0.5) ? null : choices.oneOf(['kind', 'n', "o'k", '$source', '$event_type']),
    filter: choices.chance(0.5) ? [] : makeFilters(choices),
    timeZone: choices.oneOf(['UTC', world.timeZone, world.timeZone, 'Asia/Kolkata']),
  }
}

/** At instants, or at whole hours and days around the world, where counts change from rollup to raw. */
function makeRange(world: World, choices: Choices): { from: number; to: number } {
  const instant = (): number => world.origin + choices.whole(0, world.instants) * world.unit
  const end = world.origin + (world.instants + 1) * world.unit + 2
  const from = choices.oneOf([world.origin - 5, world.origin - 5, Math.floor(world.origin / HOUR) * HOUR, instant()])
  const to = choices.oneOf([end, end, Math.ceil(end / HOUR) * HOUR, instant()])
  return { from: Math.min(from, to), to: Math.max(from, to) }
}

/** @param unique else only events are counted, from the hourly counts where they can be */
function counts(asked: CountsQuestion, unique: boolean): Question {
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

function makePaths(world: World, choices: Choices): PathsQuestion {
  const anchor = choices.oneOf(EVENT_TYPES)
  const forward = choices.chance(0.5)
  const jitter = world.unit > 1 ? choices.oneOf([-1, 0, 1]) : 0
  return {
    start: forward ? anchor : null,
    end: forward ? null : anchor,
    ...makeRange(world, choices),
    depth: choices.whole(2, 5),
    window: choices.chance(0.3) ? 60 * DAY : choices.whole(1, world.instants) * world.unit + jitter,
    types: choices.chance(0.6) ? null : [...new Set([anchor, ...choices.someOf(EVENT_TYPES, 2)])],
  }
}

function pathsFrom(asked: PathsQuestion): Question {
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

function makeRetention(world: World, choices: Choices): RetentionQuestion {
  return {
    first: choices.chance(0.2) ? null : choices.oneOf(EVENT_TYPES),
    returning: choices.chance(0.3) ? null : choices.oneOf(EVENT_TYPES),
    ...makeRange(world, choices),
    unit: choices.oneOf(['day', 'day', 'week', 'month']),
    periods: choices.whole(1, 5),
    timeZone: choices.oneOf(['UTC', world.timeZone]),
  }
}

function retained(asked: RetentionQuestion): Question {
  const { first, returning, from, to, unit, periods, timeZone } = asked
  const values = [first, returning, isoOf(from), isoOf(to), unit, periods, timeZone]
  return {
    name: 'retention',
    text: `select * from retention(${values.map(literal).join(', ')})`,
    expected: (all) =>
      retention(all, asked, Date.now() * 1000).map(({ rate, ...row }) => ({ ...row, rate: rate.millionths })),
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

function makeActive(world: World, choices: Choices) {
  const timeZone = choices.oneOf(['UTC', world.timeZone])
  const from = bucketStart(timeZone, 'day', world.origin)
  const to = bucketStart(timeZone, 'day', world.origin + choices.whole(1, 9) * DAY)
  return { from, to, types: choices.chance(0.5) ? null : choices.someOf(EVENT_TYPES, 2), timeZone }
}

function active(asked: ReturnType<typeof makeActive>): Question {
  const values = [isoOf(asked.from), isoOf(asked.to), asked.types, asked.timeZone]
  return {
    name: 'active_actors',
    text: `select * from active_actors(${values.map(literal).join(', ')})`,
    expected: (all) =>
      activeActors(all, asked).map(({ stickiness, ...row }) => ({
        ...row,
        stickiness: stickiness?.millionths ?? null,
      })),
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
