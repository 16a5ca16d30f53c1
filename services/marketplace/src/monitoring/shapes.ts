import { z } from 'zod'

const NUMBER = z.number().nullable()
const HOUR = z.iso.datetime({ offset: true })
const PERCENT = NUMBER.describe('Percent, two decimals')

/** How it is asked. */
export const MONITORING_QUERY = z.strictObject({
  row_security: z
    .enum(['true', 'false'])
    .optional()
    .describe(
      'Whether to time a count of each table as the owner and under row level security, which reads them whole',
    ),
})

/** What marketplace_internal.monitoring() answers (0009_monitoring.sql). What the database has no table for is absent. */
export const MONITORING = z.object({
  at: HOUR,
  conversations_per_hour: z.array(z.object({ hour: HOUR, conversations: z.number() })).optional(),
  messages_per_conversation: z
    .object({ conversations: z.number(), messages: z.number(), average: NUMBER, median: NUMBER, most: NUMBER })
    .optional(),
  conversation_length: z
    .object({
      characters_average: NUMBER,
      characters_median: NUMBER,
      minutes_average: NUMBER,
      minutes_median: NUMBER,
    })
    .optional(),
  chat_errors_per_hour: z
    .array(z.object({ hour: HOUR, requests: z.number(), failed: z.number(), error_rate: PERCENT }))
    .optional(),
  guest_sessions_per_hour: z
    .array(z.object({ hour: HOUR, sessions: z.number(), converted: z.number(), conversion_rate: PERCENT }))
    .optional(),
  booking_attribution: z
    .array(z.object({ day: z.iso.date(), bookings: z.number(), traced: z.number(), share: PERCENT }))
    .optional(),
  jobs: z
    .array(
      z.object({
        job: z.string(),
        overdue: z.boolean(),
        last_good: HOUR.nullable(),
        last_error: z.string().nullable(),
        runs: z.number(),
        failed: z.number(),
        success_rate: PERCENT,
        removed: z.number(),
        seconds_median: NUMBER,
      }),
    )
    .optional(),
  table_sizes: z.array(
    z.object({ relation: z.string(), rows_estimate: z.number(), bytes: z.number(), index_bytes: z.number() }),
  ),
  index_usage: z.array(z.object({ relation: z.string(), index: z.string(), scans: z.number(), bytes: z.number() })),
  query_times: z.array(z.object({ query: z.string(), calls: z.number(), mean_ms: z.number(), total_ms: z.number() })),
  unsent_events: z.number().optional(),
  row_security: z
    .array(
      z.object({
        relation: z.string(),
        role: z.string(),
        rows_seen: z.number(),
        ms: z.number(),
        rows_as_owner: z.number(),
        ms_as_owner: z.number(),
      }),
    )
    .optional(),
})

export type Monitoring = z.output<typeof MONITORING>
