import { inOrder, type OracleEvent, within } from './events.ts'
import { groupBy } from './groups.ts'
import { unitsOf } from './identity.ts'

export interface PathsQuestion {
  /** Exactly one of the two. */
  start: string | null
  end: string | null
  from: number
  to: number
  depth: number
  /** Microseconds. */
  window: number
  types: string[] | null
}

export interface PathsRow {
  path: string[]
  actors: number
  occurrences: number
}

/** Every path with how often it was walked and by how many; by occurrences, the most first, then by path. */
export function paths(all: readonly OracleEvent[], question: PathsQuestion): PathsRow[] {
  const { from, to, types } = question
  const taken = within(all, from, to).filter(({ eventType }) => types === null || types.includes(eventType))
  const walked = [...unitsOfActors(all, taken)].flatMap(([actor, events]) =>
    pathsOf(events, question).map((path) => ({ actor, path, key: JSON.stringify(path) })),
  )
  return [...groupBy(walked, ({ key }) => key).values()]
    .map((group) => ({
      path: group[0]!.path,
      actors: new Set(group.map(({ actor }) => actor)).size,
      occurrences: group.length,
    }))
    .sort((a, b) => b.occurrences - a.occurrences || (a.path.join('\0') < b.path.join('\0') ? -1 : 1))
}

/** Who a session belongs to depends on all events; what they walked, on those taken. */
function unitsOfActors(all: readonly OracleEvent[], taken: readonly OracleEvent[]): Map<string, OracleEvent[]> {
  const isTaken = new Set(taken)
  return new Map([...unitsOf(all, 'actor')].map(([actor, events]) => [actor, events.filter((e) => isTaken.has(e))]))
}

/** The paths of one actor. Towards an end event they are walked backwards, as if time ran so, and turned round. */
function pathsOf(events: OracleEvent[], { start, end, depth, window }: PathsQuestion): string[][] {
  const anchor = start ?? end
  const sequence = start === null ? inOrder(events).reverse() : inOrder(events)
  const found: string[][] = []
  /** Index up to which occurrences were merged into the run that the last path began with. */
  let merged = -1
  sequence.forEach((event, index) => {
    if (event.eventType !== anchor || index <= merged) return
    const reach = sequence.slice(index).filter(({ at }) => Math.abs(at - event.at) <= window)
    const firstOther = reach.findIndex(({ eventType }) => eventType !== anchor)
    merged = index + (firstOther === -1 ? reach.length : firstOther) - 1
    const distinct = reach.map(({ eventType }) => eventType).filter((type, i, types) => type !== types[i - 1])
    const path = distinct.slice(0, depth)
    found.push(start === null ? path.reverse() : path)
  })
  return found
}
