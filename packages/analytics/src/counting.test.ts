import { describe, expect, it } from 'vitest'
import { activeActors } from '../../../test/oracle/active.ts'
import { eventCounts } from '../../../test/oracle/counts.ts'
import { EVENT_TYPES, makeWorld } from '../../../test/oracle/data-sets.ts'
import { makeFilters } from '../../../test/oracle/definitions.ts'
import { paths } from '../../../test/oracle/paths.ts'
import { choicesOf } from '../../../test/oracle/random.ts'
import { retention } from '../../../test/oracle/retention.ts'
import { activeActorsAnswer, mergeActiveActors, tallyActiveActors } from './active-actors.ts'
import { countsAnswer, mergeCounts, tallyCounts } from './event-counts.ts'
import type { PropertyFilter } from './funnel-definition.ts'
import type { ActorRange } from './gather.ts'
import { mergePaths, pathsAnswer, tallyPaths } from './paths.ts'
import { mergeRetention, retentionAnswer, tallyRetention } from './retention.ts'
import { filledFilter, halves, rangeOf, slicesOfWorld, type TestSlices } from './test-slices.ts'

const TODAY = Date.UTC(2026, 5, 1) * 1000
const WORLDS = 15
const SETS = 40

/** In two ranges of actors whose tallies pass through structured clone. */
function merged<T>(made: TestSlices, tally: (range: ActorRange) => T, merge: (a: T, b: T) => T): T {
  const [a, b] = halves(made).map((range) => structuredClone(tally(range)))
  return merge(a!, b!)
}

describe('counted over slices is what counting all events by hand gives', () => {
  it('events and unique actors', () => {
    for (let seed = 1; seed <= 2 * WORLDS; seed++) {
      const [world, choices] = [makeWorld(seed, SETS, TODAY), choicesOf(seed + 5)]
      const { from, to } = rangeOf(world, choices)
      const isFine = world.grid !== 'hours' && world.grid !== 'night'
      const question = {
        types: choices.chance(0.4) ? null : choices.someOf(EVENT_TYPES, choices.whole(1, 3)),
        from,
        to,
        bucket: choices.oneOf([isFine ? 'minute' : 'hour', 'hour', 'day', 'week', 'month', 'all'] as const),
        breakdown: choices.chance(0.4) ? null : choices.oneOf(['kind', 'n', '$source', '$event_type']),
        filter: choices.chance(0.5) ? [] : makeFilters(choices),
        timeZone: choices.oneOf(['UTC', world.timeZone, world.timeZone, 'Asia/Kolkata']),
      }
      const asked = {
        ...question,
        eventTypes: question.types,
        where: question.filter.map(filledFilter) as PropertyFilter[],
        fromMicros: from,
        toMicros: to,
      }
      const made = slicesOfWorld(world)
      const tally = merged(made, (range) => tallyCounts(made.slices, asked, range), mergeCounts)
      const got = countsAnswer(tally, asked).map(({ bucketMicros, ...row }) => ({
        bucket: asked.bucket === 'all' ? 0 : bucketMicros,
        ...row,
      }))
      expect(sorted(got), `seed ${seed}`).toEqual(sorted(eventCounts(world.sets.flat(), question)))
    }
  })

  it('paths after and before an event', () => {
    for (let seed = 1; seed <= WORLDS; seed++) {
      const [world, choices] = [makeWorld(seed, SETS, TODAY), choicesOf(seed + 6)]
      const { from, to } = rangeOf(world, choices)
      const anchor = choices.oneOf(EVENT_TYPES)
      const isAfter = choices.chance(0.5)
      const depth = choices.whole(2, 5)
      const window = choices.whole(1, world.instants) * world.unit + choices.whole(-1, 1)
      const types = choices.chance(0.6) ? null : [anchor, ...choices.someOf(EVENT_TYPES, 2)]
      const wanted = paths(world.sets.flat(), {
        start: isAfter ? anchor : null,
        end: isAfter ? null : anchor,
        ...{ from, to, depth, window, types },
      })
      const made = slicesOfWorld(world)
      const direction = isAfter ? ('after' as const) : ('before' as const)
      const times = { fromMicros: from, toMicros: to, windowMicros: window }
      const asked = { anchor, direction, depth, eventTypes: types, ...times }
      const tally = merged(made, (range) => tallyPaths(made.slices, asked, range), mergePaths)
      expect(pathsAnswer(tally, 10_000), `seed ${seed}`).toEqual(wanted)
      expect(pathsAnswer(tally, 2)).toEqual(wanted.slice(0, 2))
    }
  })

  it('retention', () => {
    for (let seed = 1; seed <= 2 * WORLDS; seed++) {
      const [world, choices] = [makeWorld(seed, SETS, TODAY), choicesOf(seed + 7)]
      const question = {
        first: choices.chance(0.2) ? null : choices.oneOf(EVENT_TYPES),
        returning: choices.chance(0.3) ? null : choices.oneOf(EVENT_TYPES),
        ...rangeOf(world, choices),
        unit: choices.oneOf(['day', 'day', 'week', 'month'] as const),
        periods: choices.whole(1, 5),
        timeZone: choices.oneOf(['UTC', world.timeZone]),
      }
      const asked = { ...question, fromMicros: question.from, toMicros: question.to, nowMicros: TODAY }
      const made = slicesOfWorld(world)
      const tally = merged(made, (range) => tallyRetention(made.slices, asked, range), mergeRetention)
      const wanted = retention(world.sets.flat(), question, TODAY).map(({ cohort, rate, ...row }) => ({
        cohortMicros: cohort,
        ...row,
        rate: rate.millionths / 1e6,
      }))
      expect(retentionAnswer(tally, asked), `seed ${seed}`).toEqual(wanted)
    }
  })

  it('active actors by day, week and month', () => {
    for (let seed = 1; seed <= WORLDS; seed++) {
      const [world, choices] = [makeWorld(seed, SETS, TODAY), choicesOf(seed + 8)]
      const types = choices.chance(0.4) ? null : choices.someOf(EVENT_TYPES, 2)
      const timeZone = choices.oneOf(['UTC', world.timeZone])
      const from = world.origin - choices.whole(0, 10) * 86_400_000_000
      const to = world.origin + choices.whole(1, 40) * 86_400_000_000
      const asked = { eventTypes: types, fromMicros: from, toMicros: to, timeZone }
      const made = slicesOfWorld(world)
      const tally = merged(made, (range) => tallyActiveActors(made.slices, asked, range), mergeActiveActors)
      const wanted = activeActors(world.sets.flat(), { from, to, types, timeZone }).map(
        ({ day, stickiness, ...row }) => ({
          dayMicros: day,
          ...row,
          stickiness: stickiness && stickiness.millionths / 1e6,
        }),
      )
      expect(activeActorsAnswer(tally, asked), `seed ${seed}`).toEqual(wanted)
    }
  })
})

const sorted = (rows: object[]): object[] => rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
const key = (row: object): string => JSON.stringify(Object.entries(row).toSorted())
