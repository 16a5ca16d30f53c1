import { commonSettings, databaseSettings, kafkaSettings, spoolSettings, tokenSettings } from '@platform-events/runtime'
import { z } from 'zod'

/** What the environment may say to a collector that runs alone. */
export const settingsSchema = z.object({
  ...commonSettings,
  ...tokenSettings,
  // DATABASE_URL may be away: then the copy of the sources in DATA_DIR serves.
  ...databaseSettings,
  ...kafkaSettings,
  ...spoolSettings,
  SOURCES_REFRESH_MS: z.coerce.number().int().min(100).default(5000),
  /** What requests may hold at once before they get a 503. */
  MAX_IN_FLIGHT_BYTES: z.coerce
    .number()
    .int()
    .min(1024 * 1024)
    .default(32 * 1024 * 1024),
})
