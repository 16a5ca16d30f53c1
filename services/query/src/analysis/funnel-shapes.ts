import type { FunnelGroup, StepAnswer, TrendBucket } from '@platform-events/analytics'
import { z } from 'zod'

export const count = z.int().min(0)
export const time = z.iso.datetime({ offset: true })
export const rate = z.number().min(0).nullable()

const seconds = z.number().min(0).nullable()

export const distribution = z.object({
  p50: seconds.describe('Seconds'),
  p75: seconds,
  p90: seconds,
  histogram: z.array(
    z.object({
      from_seconds: z.number(),
      to_seconds: z.number().nullable().describe('Exclusive; null: open'),
      actors: count,
    }),
  ),
})

const stepAnswer = z.object({
  step: count.describe('From 1'),
  event_type: z.string().describe('The name of the step'),
  name: z.string(),
  actors: count.describe('Units that reached it'),
  dropped: count.nullable().describe('Of those who reached the required step before it; null for an optional step'),
  from_previous: rate.describe('Fractions of 1; null where there is nothing to divide by'),
  from_previous_low: rate.describe('Wilson interval of 95 %'),
  from_previous_high: rate,
  from_first: rate,
  from_first_low: rate,
  from_first_high: rate,
  time_from_previous: distribution,
  time_from_first: distribution,
}) satisfies z.ZodType<StepAnswer>

const group = z.object({
  value: z.string().nullable(),
  other: z.literal(true).exactOptional().describe('All groups beyond the limit together'),
  steps: z.array(stepAnswer),
}) satisfies z.ZodType<FunnelGroup>

const bucket = z.object({
  bucket: time,
  open: z.boolean().describe('Some who entered in it still have time to go on'),
  steps: z.array(z.object({ step: count, actors: count, from_first: rate })),
}) satisfies z.ZodType<TrendBucket>

export const funnelShape = {
  steps: z.array(stepAnswer),
  breakdown: z.array(group).exactOptional(),
  trend: z.array(bucket).exactOptional(),
}
