import { marketplaceSettings } from '@platform-events/marketplace'
import { analysisSettings } from '@platform-events/query'
import {
  commonSettings,
  databaseSettings,
  deadLetterSettings,
  eventLogSettings,
  spoolSettings,
  tokenSettings,
} from '@platform-events/runtime'
import { z } from 'zod'

/** All that `npm start` takes from the environment. */
export const settingsSchema = z.object({
  ...commonSettings,
  ...tokenSettings,
  /** Absent: a Postgres of our own under DATA_DIR. */
  DATABASE_URL: databaseSettings.DATABASE_URL.optional(),
  ...eventLogSettings,
  ...deadLetterSettings,
  ...spoolSettings,
  /** What the local log holds at most; above half of it what is stored in Postgres is given up. 4 GiB are about ten million events. */
  LOG_MAX_BYTES: z.coerce
    .number()
    .int()
    .min(16 * 1024 ** 2)
    .default(4 * 1024 ** 3),
  ...analysisSettings,
  /** Whether the marketplace's companion tables and endpoints are there too. */
  MARKETPLACE: z.enum(['on', 'off']).default('off'),
  ...marketplaceSettings,
  /** Days of events kept, today not counted. */
  RETENTION_KEEP_DAYS: z.coerce.number().int().min(8).default(90),
  /** Where the log lines go: a file, or `-` for standard output; absent: DATA_DIR/platform-events.log. */
  LOG_FILE: z.string().optional(),
})

export type Settings = z.output<typeof settingsSchema>
