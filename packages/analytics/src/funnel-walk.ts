import type { FunnelDefinition } from './funnel-definition.ts'
import { type FunnelPlan, planFunnel } from './funnel-plan.ts'
import { type ActorRange, EVERY_ACTOR, type GatheredRows, gatherActors, locateRow, sliceOffsets } from './gather.ts'
import { fillOptionalSteps } from './optional-steps.ts'
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
  /** For each step of the definition, microseconds since 1970; NaN where the unit has no event for it. */
  times: Float64Array
  /** For each step its row among all slices laid end to end: `locateRow`. Only where `times` has a number. */
  refs: Float64Array
}

/** The one walk: every funnel answer comes from here. Calls `visit` for each unit of the range that has a chain, by actor number. */
export function walkFunnel(
  slices: DaySlice[],
  definition: FunnelDefinition,
  range: ActorRange | undefined,
  visit: (unit: FunnelUnit) => void,
): void {
  const plan = planFunnel(slices, definition)
  const chain = new Int32Array(plan.links)
  const filled = new Int32Array(plan.optional.length)
  const steps = definition.steps.length
  const unit: FunnelUnit = { actorNo: 0, level: 0, times: new Float64Array(steps), refs: new Float64Array(steps) }
  const walk = walkOf(plan, definition, chain)
  const take = (step: number, rows: GatheredRows, place: number): void => {
    unit.times[step] = rows.micros[place]!
    unit.refs[step] = rows.refs[place]!
  }
  const { fromMicros, toMicros, mode } = definition
  const bounds = { fromMicros, toMicros, range: range ?? EVERY_ACTOR, untagged: mode === 'strict' }
  gatherActors(plan.tagged, bounds, (rows, begin, end, actorNo) => {
    const level = walk(rows, begin, end)
    if (level === 0) return
    unit.actorNo = actorNo
    unit.level = level
    unit.times.fill(Number.NaN)
    for (let link = 0; link < level; link++) take(plan.stepOfLink[link]!, rows, chain[link]!)
    if (filled.length > 0) {
      fillOptionalSteps(plan, rows, begin, end, level, chain, filled)
      for (const [i, { step }] of plan.optional.entries()) if (filled[i] !== -1) take(step, rows, filled[i]!)
    }
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
  walkFunnel(slices, definition, range, ({ actorNo, level, times, refs }) => {
    const reached = (step: number): boolean => !Number.isNaN(times[step])
    chains.push({
      actorNo,
      level,
      times: Array.from(times, (time, step) => (reached(step) ? time : null)),
      rows: Array.from(refs, (ref, step) => (reached(step) ? locateRow(offsets, ref) : null)),
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
