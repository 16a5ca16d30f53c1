import type { FunnelDefinition } from './funnel-definition.ts'
import { type FunnelPlan, planFunnel } from './funnel-plan.ts'
import { type ActorRange, actorsOf, type GatheredRows, gatherActors, locateRow, sliceOffsets } from './gather.ts'
import { placeSteps } from './optional-steps.ts'
import type { DaySlice } from './slice.ts'
import type { Walk } from './walk.ts'
import { orderedWalk } from './walk-ordered.ts'
import { simpleOrderedWalk } from './walk-ordered-simple.ts'
import { strictWalk } from './walk-strict.ts'
import { strictOrderWalk } from './walk-strict-order.ts'
import { unorderedWalk } from './walk-unordered.ts'

/** A unit that entered the funnel. The walk uses one object for all: take what you need before you return. */
export interface FunnelUnit {
  actorNo: number
  /** Required steps reached. */
  level: number
  rows: GatheredRows
  /** For each step of the definition the place of its event among the rows; -1 where there is none. */
  places: Int32Array
}

/** The one walk: every funnel answer comes from here. Calls `visit` for each unit of the range that has a chain, by actor number. */
export function walkFunnel(
  slices: DaySlice[],
  definition: FunnelDefinition,
  range: ActorRange | undefined,
  visit: (unit: FunnelUnit) => void,
): void {
  const plan = planFunnel(slices, definition, actorsOf(range))
  const chain = new Int32Array(plan.links)
  const places = plan.optional.length === 0 ? chain : new Int32Array(definition.steps.length)
  const walk = walkOf(plan, definition, chain)
  const { fromMicros, toMicros, mode } = definition
  const bounds = { fromMicros, toMicros, range: actorsOf(range), untagged: mode === 'strict' }
  let unit: FunnelUnit | undefined
  gatherActors(plan.tagged, bounds, (rows, begin, end, actorNo) => {
    const level = walk(rows, begin, end)
    if (level === 0) return
    for (let link = level; link < plan.links; link++) chain[link] = -1
    if (plan.optional.length > 0) placeSteps(plan, rows, begin, end, chain, places)
    unit ??= { actorNo, level, rows, places }
    unit.actorNo = actorNo
    unit.level = level
    visit(unit)
  })
}

/** One unit's chosen chain; entries are null for steps that it has no event for. */
export interface FunnelChain {
  actorNo: number
  /** Required steps reached. */
  level: number
  /** For each step, microseconds since 1970. */
  times: (number | null)[]
  /** For each step: which slice of those given, and its row. */
  rows: ({ slice: number; row: number } | null)[]
}

/** The chosen chain of every unit of the range that entered, by actor number: for lists, for explaining, for tests. */
export function funnelChains(slices: DaySlice[], definition: FunnelDefinition, range?: ActorRange): FunnelChain[] {
  const offsets = sliceOffsets(slices)
  const chains: FunnelChain[] = []
  walkFunnel(slices, definition, range, ({ actorNo, level, rows, places }) => {
    chains.push({
      actorNo,
      level,
      times: Array.from(places, (place) => (place === -1 ? null : rows.micros[place]!)),
      rows: Array.from(places, (place) => (place === -1 ? null : locateRow(offsets, rows.refs[place]!))),
    })
  })
  return chains
}

function walkOf(plan: FunnelPlan, { mode }: FunnelDefinition, chain: Int32Array): Walk {
  switch (mode) {
    case 'ordered':
      return plan.ambiguous || plan.exclusions.length > 0 ? orderedWalk(plan, chain) : simpleOrderedWalk(plan, chain)
    case 'strict':
      return strictWalk(plan, chain)
    case 'strict_order':
      return strictOrderWalk(plan, chain)
    case 'unordered':
      return unorderedWalk(plan, chain)
  }
}
