import type { ActiveQuestion } from './active.ts'
import { apiActive, apiCounts, apiPaths, apiRetention, apiTimeBetween, apiTopValues } from './api-count-questions.ts'
import type { CountsQuestion } from './counts.ts'
import { EVENT_TYPES, type World } from './data-sets.ts'
import { makeFilters, makeTimeBetween } from './definitions.ts'
import type { PathsQuestion } from './paths.ts'
import type { Question } from './question.ts'
import type { Choices } from './random.ts'
import type { RetentionQuestion } from './retention.ts'
import { sqlActive, sqlCounts, sqlPaths, sqlRetention, sqlTimeBetween, sqlTopValues } from './sql-count-questions.ts'
import { bucketStart } from './time-zones.ts'
import type { TopValuesQuestion } from './top-values.ts'

const HOUR = 3_600_000_000
const DAY = 24 * HOUR

/** What is asked besides funnels. */
export const COUNT_FORMS = ['counts', 'paths', 'retention', 'active', 'time_between', 'top_values'] as const
export type CountForm = (typeof COUNT_FORMS)[number]

export function countQuestions(form: CountForm, world: World, choices: Choices): Question[] {
  switch (form) {
    case 'counts': {
      const asked = makeCounts(world, choices)
      // Events alone come from the hourly counts where they can.
      const unique = choices.chance(0.5)
      return [sqlCounts(asked, unique), apiCounts(asked, unique)]
    }
    case 'paths': {
      const asked = makePaths(world, choices)
      return [sqlPaths(asked), apiPaths(asked)]
    }
    case 'retention': {
      const asked = makeRetention(world, choices)
      return [sqlRetention(asked), apiRetention(asked)]
    }
    case 'active': {
      const asked = makeActive(world, choices)
      return [sqlActive(asked), apiActive(asked)]
    }
    case 'time_between': {
      const funnel = makeTimeBetween(world, choices)
      return [sqlTimeBetween(funnel), apiTimeBetween(funnel)]
    }
    case 'top_values': {
      const asked = makeTopValues(world, choices)
      return [sqlTopValues(asked), apiTopValues(asked)]
    }
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

/** At instants, or at whole hours around the world, where counts change from rollup to raw. */
function makeRange(world: World, choices: Choices): { from: number; to: number } {
  const instant = (): number => world.origin + choices.whole(0, world.instants) * world.unit
  const end = world.origin + (world.instants + 1) * world.unit + 2
  const from = choices.oneOf([world.origin - 5, world.origin - 5, Math.floor(world.origin / HOUR) * HOUR, instant()])
  const to = choices.oneOf([end, end, Math.ceil(end / HOUR) * HOUR, instant()])
  return { from: Math.min(from, to), to: Math.max(from, to) }
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

function makeActive(world: World, choices: Choices): ActiveQuestion {
  const timeZone = choices.oneOf(['UTC', world.timeZone])
  const from = bucketStart(timeZone, 'day', world.origin)
  const to = bucketStart(timeZone, 'day', world.origin + choices.whole(1, 9) * DAY)
  return { from, to, types: choices.chance(0.5) ? null : choices.someOf(EVENT_TYPES, 2), timeZone }
}

function makeTopValues(world: World, choices: Choices): TopValuesQuestion {
  return {
    type: choices.oneOf(EVENT_TYPES),
    property: choices.oneOf(['kind', 'n', 'tags', "o'k", 'a.b', 'a', 'order', 'absent']),
    ...makeRange(world, choices),
  }
}
