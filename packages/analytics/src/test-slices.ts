import type { World } from '../../../test/oracle/data-sets.ts'
import type { OracleEvent } from '../../../test/oracle/events.ts'
import type { OracleFunnel } from '../../../test/oracle/funnel.ts'
import { groupBy } from '../../../test/oracle/groups.ts'
import { actorOf, sessionUsers, unitsOf } from '../../../test/oracle/identity.ts'
import type { OracleFilter, OracleMatch } from '../../../test/oracle/matches.ts'
import type { Choices } from '../../../test/oracle/random.ts'
import type { FunnelDefinition } from './funnel-definition.ts'
import type { ActorRange } from './gather.ts'
import { DAY_MICROS, type DaySlice, type PropertyColumn, SOURCE_COLUMN } from './slice.ts'

/** Slices for tests, with the event behind each row, and the units in the order of their numbers, which begin at 1. */
export interface TestSlices {
  slices: DaySlice[]
  /** By slice and row. */
  events: OracleEvent[][]
  units: string[]
}

/**
 * @param units the events of each unit
 * @param nobody events without one
 * @param late ids of events that are laid in a second slice of their day, where that can be: no tie within the unit
 */
export function slicesOf(
  units: ReadonlyMap<string, readonly OracleEvent[]>,
  nobody: readonly OracleEvent[] = [],
  late: ReadonlySet<string> = new Set(),
): TestSlices {
  const names = [...units.keys()]
  const rows = [
    ...nobody.map((event) => ({ actorNo: 0, event, part: 0 })),
    ...names.flatMap((name, index) => {
      const events = units.get(name)!
      const isTied = ({ at }: OracleEvent): boolean => events.filter((other) => other.at === at).length > 1
      return events.map((event) => ({ actorNo: index + 1, event, part: late.has(event.id) && !isTied(event) ? 1 : 0 }))
    }),
  ]
  const parts = groupBy(rows, ({ event, part }) => Math.floor(event.at / DAY_MICROS) * 2 + part)
  // Backwards, for the walk puts days in order by itself.
  const keys = [...parts.keys()].sort((a, b) => b - a)
  const built = keys.map((key) => sliceOf(Math.floor(key / 2), parts.get(key)!))
  return { slices: built.map(({ slice }) => slice), events: built.map(({ events }) => events), units: names }
}

function sliceOf(
  day: number,
  unsorted: { actorNo: number; event: OracleEvent }[],
): { slice: DaySlice; events: OracleEvent[] } {
  const rows = unsorted.toSorted(
    (a, b) => a.actorNo - b.actorNo || a.event.at - b.event.at || (a.event.id < b.event.id ? -1 : 1),
  )
  const events = rows.map(({ event }) => event)
  const types = [...new Set(events.map(({ eventType }) => eventType))]
  const micros = events.map(({ at }) => at - day * DAY_MICROS)
  const actorNos = [...new Set(rows.map(({ actorNo }) => actorNo))]
  const slice: DaySlice = {
    day,
    rows: rows.length,
    types,
    actorNos: Uint32Array.from(actorNos),
    actorEnds: Uint32Array.from(actorNos, (no) => rows.findLastIndex(({ actorNo }) => actorNo === no) + 1),
    ms: Uint32Array.from(micros, (time) => Math.floor(time / 1000)),
    us: Uint16Array.from(micros, (time) => time % 1000),
    typeCodes: Uint8Array.from(events, ({ eventType }) => types.indexOf(eventType)),
    columns: new Map([[SOURCE_COLUMN, columnOf(events.map(({ sourceId }) => String(sourceId)))]]),
  }
  const properties = new Set(events.flatMap((event) => Object.keys(event.properties)))
  for (const property of properties) {
    slice.columns.set(property, columnOf(events.map((event) => event.properties[property])))
  }
  return { slice, events }
}

function columnOf(texts: (string | undefined)[]): PropertyColumn {
  const values = [...new Set(texts)].filter((text) => text !== undefined)
  return { values, codes: Uint16Array.from(texts, (text) => (text === undefined ? 0 : values.indexOf(text) + 1)) }
}

/** Everything of a world as slices: actors as units, and events of nobody. */
export function slicesOfWorld(world: World): TestSlices {
  const all = world.sets.flat()
  const users = sessionUsers(all)
  const nobody = all.filter((event) => actorOf(event, users) === null)
  return slicesOf(unitsOf(all, 'actor'), nobody, world.late)
}

/** Two ranges of actor numbers, as two workers would take them; 0 has the events of nobody. */
export function halves({ units }: TestSlices): [ActorRange, ActorRange] {
  const middle = Math.ceil(units.length / 2)
  return [
    { from: 0, to: middle },
    { from: middle, to: 2 ** 31 },
  ]
}

/** A definition or filters with the defaults of `exists` filled in, as whoever asks does it. */
export function definitionOf({ from, to, window, steps, exclude, ...same }: OracleFunnel): FunnelDefinition {
  const filled = <M extends OracleMatch>(match: M): M => ({ ...match, where: match.where.map(filledFilter) })
  const definition = { ...same, steps: steps.map(filled), exclude: exclude.map(filled) }
  return { ...definition, fromMicros: from, toMicros: to, windowMicros: window } as FunnelDefinition
}

export function filledFilter(filter: OracleFilter): OracleFilter {
  return filter.op === 'exists' ? { value: true, ...filter } : filter
}

/** A range on the world's grid of time, at times wider than it. */
export function rangeOf(world: World, choices: Choices): { from: number; to: number } {
  const instant = (): number => world.origin + choices.whole(0, world.instants) * world.unit
  const end = world.origin + (world.instants + 1) * world.unit + 2
  const from = choices.oneOf([world.origin - 5, instant()])
  const to = choices.oneOf([end, end, instant()])
  return { from: Math.min(from, to), to: Math.max(from, to) }
}
