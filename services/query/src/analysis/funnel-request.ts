import type { Exclusion, FunnelDefinition, FunnelStep } from '@platform-events/analytics'
import { RequestError } from '@platform-events/contracts'
import { z } from 'zod'
import { duration, durationMicros } from '../duration.ts'
import type { Unit } from '../slices/wanted.ts'
import { eventType, matchFields, matchOf, namesOneKindOfType, property, TYPE_FORM } from './match-request.ts'
import { messageWithin } from './message-within.ts'
import { periodFields, type Range, rangeOf } from './period.ts'

const STEP_FORM =
  'a step is an event type, or { "event_type" or "event_types", "where"?: [filter, …], "optional"?, "name"? }'

export const step = z.union(
  [
    eventType,
    z
      .strictObject({
        ...matchFields,
        optional: z.boolean().default(false),
        name: z.string().min(1).max(200).optional(),
      })
      .refine(namesOneKindOfType, TYPE_FORM),
  ],
  { error: messageWithin(STEP_FORM) },
)

const unit = z
  .union([z.enum(['actor', 'session']), z.strictObject({ property })], {
    error: 'wants "actor", "session" or { "property": key }',
  })
  .default('actor')

const exclusion = z
  .strictObject({ ...matchFields, after: z.int().min(1).default(1), before: z.int().min(2).optional() })
  .refine(namesOneKindOfType, TYPE_FORM)

export const unknownTypes = z
  .enum(['refuse', 'allow'])
  .default('refuse')
  .describe('What to do with an event type that has never come: it may be misspelt, or not have come yet')

/** What defines a funnel, whatever is asked about it. */
export const funnelFields = {
  steps: z
    .array(step, { error: 'wants a list of 2 to 20 steps' })
    .min(2, 'wants at least two steps; /v1/counts counts one event')
    .max(20, 'takes at most 20 steps'),
  ...periodFields,
  window: duration.default('P7D').describe('From the first event of a chain to its last'),
  mode: z
    .enum(['ordered', 'strict', 'strict_order', 'unordered'], {
      error: 'wants "ordered", "strict", "strict_order" or "unordered"',
    })
    .default('ordered'),
  unit,
  exclude: z.array(exclusion).max(10, 'takes at most 10 exclusions').default([]),
  unknown_types: unknownTypes,
}

const funnelShape = z.strictObject(funnelFields)

export interface AskedFunnel {
  definition: FunnelDefinition
  unit: Unit
  range: Range
  window: string
  allowUnknown: boolean
}

/** @throws RequestError invalid_query */
export function askedFunnel(given: z.output<typeof funnelShape>, nowMs: number): AskedFunnel {
  const range = rangeOf(given, nowMs)
  const steps = given.steps.map(stepOf)
  const exclude = given.exclude.map((each) => exclusionOf(each, steps.length))
  if (given.mode !== 'ordered' && (exclude.length > 0 || steps.some((each) => each.optional)))
    throw new RequestError('invalid_query', 'optional steps and exclude want mode "ordered"')
  if (exclude.some(({ after, before }) => steps[after - 1]!.optional || steps[before - 1]!.optional))
    throw new RequestError('invalid_query', 'exclude: after and before name steps that are required')
  if (steps[0]!.optional || steps.at(-1)!.optional)
    throw new RequestError('invalid_query', 'steps: the first and the last step cannot be optional')
  return {
    definition: {
      steps,
      fromMicros: range.fromMicros,
      toMicros: range.toMicros,
      windowMicros: durationMicros(given.window),
      mode: given.mode,
      exclude,
    },
    unit: given.unit,
    range,
    window: given.window,
    allowUnknown: given.unknown_types === 'allow',
  }
}

function stepOf(given: z.output<typeof step>): FunnelStep {
  if (typeof given === 'string') return { eventTypes: [given], where: [], optional: false, name: given }
  const match = matchOf(given)
  return { ...match, optional: given.optional, name: given.name ?? match.eventTypes.join(' or ') }
}

function exclusionOf(given: z.output<typeof exclusion>, steps: number): Exclusion {
  const before = given.before ?? steps
  if (!(given.after < before && before <= steps))
    throw new RequestError('invalid_query', `exclude: wants 1 <= after < before <= ${steps}, the numbers of two steps`)
  return { ...matchOf(given), after: given.after, before }
}
