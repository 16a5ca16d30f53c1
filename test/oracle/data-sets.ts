import type { OracleEvent } from './events.ts'
import { type Choices, choicesOf } from './random.ts'
import { lastTransitions } from './time-zones.ts'

/** Event types that occur; `X` is in few definitions, so that foreign rows stand between. */
export const EVENT_TYPES = ['A', 'B', 'C', 'D', 'X'] as const

/** JSON texts that a property may have: as jsonb prints them. */
const VALUES: Record<string, string[]> = {
  kind: ['"web"', '"app"', '"WEB"', '"5"', '5', '5.0', 'true', 'null', '""', '["web", 5]', '{"web": 1}'],
  n: ['-1', '0', '2.5', '5', '5.0', '10', '10', '"10"', '"9"', 'false', 'null'],
  tags: ['["web"]', '["app", "web"]', '[5, true]', '[]', '"web app"', '"a\\"b%_\\\\"', '"～"', '"😀"'],
  'a.b': ['1', '"x"'],
  a: ['{"b": 1}'],
  "o'k": ['1', '"x"'],
}

/** The distance of two instants, and so of most events, microseconds. */
type Grid = 'microsecond' | 'millisecond' | 'second' | 'hours' | 'night'

/** Events of many disjoint data sets that share a grid of time: one definition is asked of all of them at once. */
export interface World {
  seed: number
  grid: Grid
  /** Microseconds: instants are origin + n × unit, coarse ones at times a microsecond off. */
  origin: number
  unit: number
  instants: number
  /** The zone whose night of changing clocks this is; else any. */
  timeZone: string
  /** Three types of which most sets and definitions are made, so that chains come about, and break. */
  favourites: string[]
  sets: OracleEvent[][]
  /** Ids of the events that come after segments were built. */
  late: Set<string>
  /** Guests' events that are deleted again after segments were built: in no set, and in no answer. */
  gone: OracleEvent[]
}

const GRIDS: Grid[] = ['microsecond', 'hours', 'night', 'millisecond', 'second']
const ZONES = ['Europe/Berlin', 'America/New_York', 'Asia/Beirut', 'America/St_Johns']
const SIZES = [0, 2, 3, 4, 5, 6, 7, 8, 9, 9]
const DAY = 86_400_000_000

/**
 * A world of random data sets: ties, repeats, guests who log in, sessions and devices shared by two, late events, empty sets.
 *
 * @param size how many data sets
 * @param today midnight UTC, microseconds: every event lies at least a day before it
 */
export function makeWorld(seed: number, size: number, today: number): World {
  const choices = choicesOf(seed)
  const grid = GRIDS[seed % GRIDS.length]!
  const place = placeOf(grid, choices, today)
  const favourites = choices.someOf(EVENT_TYPES, 3)
  const world: World = { seed, grid, ...place, favourites, sets: [], late: new Set(), gone: [] }
  for (let index = 0; index < size; index++) world.sets.push(makeSet(world, index, choices))
  // A type that was never seen is refused, and this is not what is compared here: one event of each, of nobody.
  world.sets.push(EVENT_TYPES.map((eventType) => ({ ...blank(world, choices), eventType })))
  return world
}

/** Where the instants lie: around a midnight in UTC, over some days, or in a night in which clocks change. */
function placeOf(
  grid: Grid,
  choices: Choices,
  today: number,
): Pick<World, 'origin' | 'unit' | 'instants' | 'timeZone'> {
  const midnight = today - 3 * DAY
  const timeZone = choices.oneOf(ZONES)
  switch (grid) {
    case 'microsecond':
      return { origin: midnight - 3, unit: 1, instants: choices.whole(2, 7), timeZone }
    case 'millisecond':
      return { origin: midnight + 41_998_999, unit: 500, instants: choices.whole(3, 9), timeZone }
    case 'second':
      return { origin: midnight - 4_000_000, unit: 1_000_000, instants: choices.whole(3, 12), timeZone }
    case 'hours':
      return { origin: midnight - 24 * 3_600_000_000, unit: 9 * 3_600_000_000, instants: 7, timeZone }
    case 'night': {
      const change = choices.oneOf(lastTransitions(timeZone, today - 2 * DAY, 2))
      return { origin: change - 8 * 1_800_000_000, unit: 1_800_000_000, instants: 18, timeZone }
    }
  }
}

function makeSet(world: World, index: number, choices: Choices): OracleEvent[] {
  // Mostly one person, with all of the rows: else few chains are whole.
  const isAlone = choices.chance(0.6)
  const users = [choices.uuid(), choices.uuid()].slice(0, choices.oneOf(isAlone ? [0, 1] : [0, 1, 2, 2]))
  const sessions = ['a', 'b', 'c']
    .slice(0, isAlone ? 1 : choices.whole(users.length > 0 ? 0 : 1, 3))
    .map((name) => `${world.seed}-${index}-${name}`)
  const orders = [`"o${world.seed}-${index}"`, String(world.seed * 1000 + index)]
  const types = choices.chance(0.6) ? world.favourites : choices.someOf(EVENT_TYPES, choices.whole(1, 5))
  if (sessions.length > 0 && choices.chance(0.2))
    world.gone.push({ ...blank(world, choices), eventType: choices.oneOf(types), sessionId: choices.oneOf(sessions) })
  return Array.from({ length: choices.oneOf(SIZES) }, () => {
    const event = { ...blank(world, choices), eventType: choices.oneOf(types) }
    const isGuest = choices.chance(0.6)
    event.userId = isGuest || users.length === 0 ? null : choices.oneOf(users)
    event.sessionId = sessions.length === 0 || choices.chance(0.1) ? null : choices.oneOf(sessions)
    event.sourceId = choices.oneOf([0, 0, 0, 1, 2])
    for (const [property, values] of Object.entries(VALUES))
      if (choices.chance(0.75)) event.properties[property] = choices.oneOf(values)
    if (choices.chance(0.8)) event.properties['order'] = choices.oneOf([orders[0]!, ...orders])
    if (choices.chance(0.15)) {
      world.late.add(event.id)
      // Others are corrected after they were stored, which would mark a late event's whole day and not it alone.
      event.sourceId = 0
    }
    return event
  })
}

/** An event of nobody at a random instant. */
function blank(world: World, choices: Choices): OracleEvent {
  const jitter = world.unit > 1000 && choices.chance(0.3) ? choices.oneOf([-1, 1]) : 0
  const at = world.origin + choices.whole(0, world.instants) * world.unit + jitter
  return { id: choices.uuid(), eventType: 'X', userId: null, sessionId: null, properties: {}, at, sourceId: 0 }
}
