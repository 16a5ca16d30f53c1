import { commonSettings, tokenSettings } from '@platform-events/runtime'
import { z } from 'zod'

/** All that `npm start` takes from the environment. */
export const settingsSchema = z.object({
  ...commonSettings,
  ...tokenSettings,
  /** Absent: a Postgres of our own under DATA_DIR. */
  DATABASE_URL: z
    .string()
    .startsWith('postgres', 'a URL such as postgres://user:password@host:5432/database')
    .optional(),
  /** Comma-separated host:port; absent: the local log under DATA_DIR. */
  KAFKA_BROKERS: z.string().optional(),
  /** Days of events kept. */
  RETENTION_DAYS: z.coerce.number().int().min(1).default(90),
  /** Where the log lines go: a file, or `-` for standard output; absent: DATA_DIR/platform-events.log. */
  LOG_FILE: z.string().optional(),
})

export type Settings = z.output<typeof settingsSchema>
