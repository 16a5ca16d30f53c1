import type { EventMatch, FunnelDefinition } from './funnel-definition.ts'
import { type ActorRange, rowsOfActors, sliceOffsets, type TaggedSlice } from './gather.ts'
import type { DaySlice } from './slice.ts'
import { tagEvents } from './tag-events.ts'

/** A funnel as walks see it: steps and exclusions are bits of a row's tag; required steps first, so that bit k is the k-th link of a chain. */
export interface FunnelPlan {
  /** Required steps: the links of a chain. */
  links: number
  windowMicros: number
  /** The step (from 0) of each link. */
  stepOfLink: number[]
  /** Optional steps: the link that they come after, their bit, their step. In step order. */
  optional: { afterLink: number; bit: number; step: number }[]
  /** No row with this bit between the links. */
  exclusions: { after: number; before: number; bit: number }[]
  /** Some row may stand for several links. */
  ambiguous: boolean
  tagged: TaggedSlice[]
  offsets: Float64Array
}

export function planFunnel(slices: DaySlice[], definition: FunnelDefinition, range: ActorRange): FunnelPlan {
  const numbered = definition.steps.map((step, index) => ({ step, index }))
  const required = numbered.filter(({ step }) => !step.optional)
  const optional = numbered.filter(({ step }) => step.optional)
  const stepOfLink = required.map(({ index }) => index)
  const matches: EventMatch[] = [...required, ...optional].map(({ step }) => step)
  const tagged = tagEvents(slices, [...matches, ...definition.exclude], range)
  return {
    links: required.length,
    windowMicros: definition.windowMicros,
    stepOfLink,
    optional: optional.map(({ index }, i) => ({
      afterLink: stepOfLink.findLastIndex((step) => step < index),
      bit: 1 << (required.length + i),
      step: index,
    })),
    // A bound that is an optional step stands for the required step outside it.
    exclusions: definition.exclude.map(({ after, before }, i) => ({
      after: stepOfLink.findLastIndex((step) => step <= after - 1),
      before: stepOfLink.findIndex((step) => step >= before - 1),
      bit: 1 << (matches.length + i),
    })),
    ambiguous: tagged.some((day) => isAmbiguous(day, (1 << required.length) - 1, range)),
    tagged,
    offsets: sliceOffsets(slices),
  }
}

function isAmbiguous({ slice, tagOfType, tagOfRow }: TaggedSlice, links: number, range: ActorRange): boolean {
  const isSeveral = (tag: number): boolean => (tag & links & ((tag & links) - 1)) !== 0
  // A row has no bits but those of its type.
  if (tagOfRow === null || !tagOfType.some(isSeveral)) return tagOfType.some(isSeveral)
  const { begin, end } = rowsOfActors(slice, range)
  return tagOfRow.subarray(begin, end).some(isSeveral)
}
