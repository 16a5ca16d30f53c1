import { LIMITS, RequestError } from '@platform-events/contracts'
import type { Pool } from '@platform-events/postgres'
import { z } from 'zod'
import { duration } from './duration.ts'
import { instant, parse, period } from './parse.ts'
import { readOnly } from './read-only.ts'

const STEP_FORM = `a step is an event type (1 to ${LIMITS.EVENT_TYPE_CHARACTERS} characters), or { "event_type": … }`
const eventType = z
  .string(STEP_FORM)
  .min(1, STEP_FORM)
  .max(LIMITS.EVENT_TYPE_CHARACTERS, STEP_FORM)
  .refine((text) => !text.includes('\0'), STEP_FORM)

export const funnelRequest = z.strictObject({
  steps: z
    .array(z.union([eventType, z.strictObject({ event_type: eventType })], { error: STEP_FORM }), {
      error: 'wants a list of 1 to 10 event types',
    })
    .min(1, 'wants at least one step')
    .max(10, 'takes at most 10 steps'),
  from: instant.optional(),
  to: instant.optional(),
  window: duration.default('P7D'),
  mode: z.literal('ordered', { error: 'only "ordered" is built yet; other modes come later' }).default('ordered'),
})

export interface FunnelAnswer {
  steps: FunnelStep[]
  /** Inclusive. */
  from: string
  /** Exclusive. */
  to: string
  /** ISO 8601 duration, counted from the first step. */
  window: string
}

interface FunnelStep {
  /** From 1. */
  step: number
  event_type: string
  /** People, or sessions that no person is known for, who reached this step within the window. */
  actors: number
  /** Fractions of 1; null where there is nothing to divide by. */
  from_previous: number | null
  from_first: number | null
}

/**
 * The exact ordered funnel; the last 30 days and a window of 7 days unless told.
 *
 * @param body `{ steps, from?, to?, window?, mode? }`
 * @throws RequestError invalid_query, database_unavailable, query_timeout
 */
export async function askFunnel(pool: Pool, body: unknown, nowMs: number): Promise<FunnelAnswer> {
  refuseLaterFields(body)
  const asked = parse(funnelRequest, body)
  const steps = asked.steps.map((step) => (typeof step === 'string' ? step : step.event_type))
  const { from, to } = period(asked, nowMs)
  const found = await readOnly(pool, (client) => client.query<StepRow>(SELECT_FUNNEL, [steps, from, to, asked.window]))
  return { steps: found.rows.map(toStep), from, to, window: asked.window }
}

interface StepRow {
  step: number
  event_type: string
  actors: string
  from_previous: string | null
  from_first: string | null
}

const SELECT_FUNNEL = `
select step, event_type, actors, from_previous, from_first
  from public.conversion_funnel(
         p_steps => $1::text[], p_from => $2::timestamptz, p_to => $3::timestamptz, p_window => $4::interval)
 order by step`

function toStep(row: StepRow): FunnelStep {
  return {
    step: row.step,
    event_type: row.event_type,
    actors: Number(row.actors),
    from_previous: row.from_previous === null ? null : Number(row.from_previous),
    from_first: row.from_first === null ? null : Number(row.from_first),
  }
}

/** Fields that are promised but not built. Ignoring one would answer another question than was asked. */
const LATER = ['unit', 'breakdown', 'exclude', 'exclusions', 'trend', 'time_to_convert', 'where']
const LATER_OF_STEP = ['where', 'exclude']

function refuseLaterFields(body: unknown): void {
  const later = fieldsOf(body, LATER)
  const steps = typeof body === 'object' && body !== null && 'steps' in body ? body.steps : undefined
  if (Array.isArray(steps))
    for (const [index, step] of steps.slice(0, 10).entries())
      later.push(...fieldsOf(step, LATER_OF_STEP).map((field) => `steps.${index}.${field}`))
  if (later.length > 0)
    throw new RequestError('invalid_query', `not built yet, comes later: ${later.join(', ')}. Leave it out.`)
}

function fieldsOf(value: unknown, names: string[]): string[] {
  return typeof value === 'object' && value !== null ? names.filter((name) => Object.hasOwn(value, name)) : []
}
