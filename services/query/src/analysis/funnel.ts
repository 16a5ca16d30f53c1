import { type FunnelBreakdown, type FunnelDefinition, funnelColumns } from '@platform-events/analytics'
import { RequestError } from '@platform-events/contracts'
import { z } from 'zod'
import { columnOf } from '../slices/column.ts'
import { type Asking, analysis } from './analysis.ts'
import { requireFewBuckets } from './bucket-limit.ts'
import type { Cell } from './csv.ts'
import { type AskedFunnel, askedFunnel, funnelFields } from './funnel-request.ts'
import { funnelShape, time } from './funnel-shapes.ts'
import { requireAnswerable } from './known.ts'
import { property } from './match-request.ts'
import { rangeOf } from './period.ts'
import { timeZone } from './time-zone.ts'

const MAX_GROUPS = 1000

const breakdown = z.union(
  [
    z.strictObject({
      property,
      at: z.union([z.enum(['first', 'last']), z.int().min(1).max(20)]).default('first'),
    }),
    z.strictObject({ by: z.enum(['source', 'day']) }),
  ],
  { error: 'wants { "property": key, "at": "first" | "last" | n } or { "by": "source" | "day" }' },
)

const request = z.strictObject({
  ...funnelFields,
  breakdown: breakdown.optional(),
  limit: z.int().min(1).max(MAX_GROUPS).default(20).describe('Groups of the breakdown; the rest is summed as other'),
  trend: z.strictObject({ unit: z.enum(['day', 'week', 'month']), time_zone: timeZone.default('UTC') }).optional(),
})

const answer = z.object({
  ...funnelShape,
  from: time,
  to: time,
  window: z.string(),
  mode: funnelFields.mode.unwrap(),
  unit: funnelFields.unit.unwrap(),
})

export const funnel = analysis({
  path: 'funnel',
  name: 'Funnel',
  summary: 'The exact funnel: who took these steps within the window, how long it took them, by group and over time.',
  request,
  answer,
  range: rangeOf,
  async run(asking, given) {
    const asked = askedFunnel(given, asking.nowMs)
    requireStep(given.breakdown, asked)
    if (given.trend !== undefined) requireFewBuckets(given.trend.unit, asked.range)
    const groups =
      given.breakdown !== undefined && 'property' in given.breakdown
        ? { ...given.breakdown, property: columnOf(given.breakdown.property) }
        : given.breakdown
    const { slices } = await readFunnel(asking, asked, groups)
    const { unit, time_zone } = given.trend ?? {}
    const found = await asking.walk(
      {
        walk: 'funnel',
        definition: asked.definition,
        breakdown: groups,
        limit: given.limit,
        trend: unit === undefined ? undefined : { unit, timeZone: time_zone! },
        nowMicros: asking.nowMs * 1000,
      },
      slices,
    )
    const { range, window } = asked
    return { ...found, from: range.from, to: range.to, window, mode: asked.definition.mode, unit: asked.unit }
  },
  csv: {
    columns: [
      ...['breakdown', 'other', 'step', 'name', 'actors', 'dropped', 'from_previous', 'from_previous_low'],
      ...['from_previous_high', 'from_first', 'from_first_low', 'from_first_high', 'p50_from_previous_seconds'],
      ...['p75_from_previous_seconds', 'p90_from_previous_seconds', 'p50_from_first_seconds', 'p75_from_first_seconds'],
      'p90_from_first_seconds',
    ],
    rows: ({ steps, breakdown: groups }) =>
      (groups ?? [{ value: null, steps }]).flatMap((group) =>
        group.steps.map((step): Cell[] => [
          group.value,
          'other' in group,
          ...[step.step, step.name, step.actors, step.dropped],
          ...[step.from_previous, step.from_previous_low, step.from_previous_high],
          ...[step.from_first, step.from_first_low, step.from_first_high],
          ...[step.time_from_previous.p50, step.time_from_previous.p75, step.time_from_previous.p90],
          ...[step.time_from_first.p50, step.time_from_first.p75, step.time_from_first.p90],
        ]),
      ),
  },
})

/** Reads what the walk of a funnel needs to see. @throws RequestError, or errors of Postgres: unknown types, a range without raw events */
export async function readFunnel(
  asking: Asking,
  { definition, unit, range, allowUnknown }: AskedFunnel,
  breakdown?: FunnelBreakdown,
) {
  const columns = funnelColumns(definition, breakdown)
  const eventTypes = typesOf(definition)
  await requireAnswerable(asking.client, allowUnknown ? [] : eventTypes, range)
  return await asking.read({
    fromMicros: range.fromMicros,
    toMicros: range.toMicros,
    unit,
    eventTypes: definition.mode === 'strict' ? null : eventTypes,
    columns,
    columnTypes: columnTypes(definition, breakdown),
    // Which row of one microsecond a chain takes.
    sequence: definition.mode !== 'ordered' || columns.length > 0 || definition.steps.some(({ optional }) => optional),
    nobody: false,
  })
}

/** By column, the event types of which somebody looks at it. */
function columnTypes({ steps, exclude, mode }: FunnelDefinition, breakdown?: FunnelBreakdown): Map<string, string[]> {
  const types = new Map<string, string[]>()
  const look = (column: string, at: string[]): void => {
    types.set(column, [...new Set([...(types.get(column) ?? []), ...at])])
  }
  for (const { where, eventTypes } of [...steps, ...exclude])
    for (const { property: name } of where) look(name, eventTypes)
  if (breakdown === undefined || !('property' in breakdown)) return types
  const { property: name, at } = breakdown
  const step = at === 'first' ? steps[0] : at === 'last' ? undefined : steps[at - 1]
  // Unordered, any step may be the first.
  const looked = mode === 'unordered' || step === undefined ? steps : [step]
  for (const { eventTypes } of looked) look(name, eventTypes)
  return types
}

function typesOf({ steps, exclude }: FunnelDefinition): string[] {
  return [...new Set([...steps, ...exclude].flatMap((match) => match.eventTypes))]
}

function requireStep(given: z.output<typeof breakdown> | undefined, { definition }: AskedFunnel): void {
  const steps = definition.steps.length
  if (given !== undefined && 'at' in given && typeof given.at === 'number' && given.at > steps)
    throw new RequestError('invalid_query', `breakdown.at: this funnel has ${steps} steps`)
}
