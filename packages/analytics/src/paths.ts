import { type ActorRange, actorsOf, gatherActors } from './gather.ts'
import { compareCodePoints } from './json-scalars.ts'
import { PathTree } from './path-tree.ts'
import { Groups } from './row-groups.ts'
import type { DaySlice } from './slice.ts'
import { TYPE_BREAKDOWN, tagGroups } from './tag-groups.ts'

/** What actors do after an event type, or before it. */
export interface PathsQuestion {
  anchor: string
  direction: 'after' | 'before'
  /** Microseconds since 1970; `to` is exclusive. */
  fromMicros: number
  toMicros: number
  /** Event types in a path, at most, repeats counted once. */
  depth: number
  /** From the anchor's event, microseconds. */
  windowMicros: number
  /** null: all. Others are as if they had not happened. */
  eventTypes: string[] | null
}

/** Survives structured clone; tallies of disjoint ranges of actors can be merged. */
export interface PathsTally {
  paths: CountedPath[]
}

export interface CountedPath {
  /** In the order in which they happened. */
  path: string[]
  actors: number
  occurrences: number
}

/**
 * One path for each event of the anchor's type: it and what follows (or goes before) within the window, repeats of a type one after
 * another taken as one. Anchors that were so taken into a path's first run begin none of their own.
 */
export function tallyPaths(slices: DaySlice[], question: PathsQuestion, range?: ActorRange): PathsTally {
  const { anchor, direction, fromMicros, toMicros, depth, windowMicros, eventTypes } = question
  const types = new Groups()
  const anchorTag = types.numberOf(anchor) + 1
  const tagged = tagGroups(slices, { eventTypes, where: [] }, TYPE_BREAKDOWN, types)
  const tree = new PathTree(types.values.length + 1)
  const bounds = { fromMicros, toMicros, range: actorsOf(range), untagged: false }
  gatherActors(tagged, bounds, ({ micros, tags }, begin, end, actorNo) => {
    const [first, after, step] = direction === 'after' ? [begin, end, 1] : [end - 1, begin - 1, -1]
    for (let at = first; at !== after; ) {
      if (tags[at] !== anchorTag) {
        at += step
        continue
      }
      const origin = micros[at]!
      let node = tree.step(PathTree.ROOT, anchorTag)
      let last = anchorTag
      let length = 1
      let row = at + step
      at = row
      for (; row !== after && Math.abs(micros[row]! - origin) <= windowMicros; row += step) {
        const tag = tags[row]!
        if (tag === last) {
          if (length === 1) at = row + step
          continue
        }
        if (length === depth) break
        node = tree.step(node, tag)
        last = tag
        length++
      }
      tree.count(node, actorNo)
    }
  })
  const named = tree.paths().map(({ tags, ...counts }) => {
    const path = tags.map((tag) => types.values[tag - 1]!)
    return { path: direction === 'after' ? path : path.reverse(), ...counts }
  })
  return { paths: named }
}

/** The tally of both ranges together. */
export function mergePaths(a: PathsTally, b: PathsTally): PathsTally {
  const merged = new Map<string, CountedPath>()
  for (const counted of [...a.paths, ...b.paths]) {
    const key = JSON.stringify(counted.path)
    const known = merged.get(key)
    merged.set(key, {
      path: counted.path,
      actors: counted.actors + (known?.actors ?? 0),
      occurrences: counted.occurrences + (known?.occurrences ?? 0),
    })
  }
  return { paths: [...merged.values()] }
}

/** The most frequent first, then by path. */
export function pathsAnswer(tally: PathsTally, limit: number): CountedPath[] {
  return tally.paths.toSorted((a, b) => b.occurrences - a.occurrences || comparePaths(a.path, b.path)).slice(0, limit)
}

/** As Postgres compares arrays of text by code point. */
function comparePaths(a: string[], b: string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareCodePoints(a[i]!, b[i]!)
    if (order !== 0) return order
  }
  return a.length - b.length
}
