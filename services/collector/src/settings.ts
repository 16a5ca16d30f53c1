import { commonSettings, tokenSettings } from '@platform-events/runtime'
import { z } from 'zod'

/** What the environment may say to a collector that runs alone. */
export const settingsSchema = z.object({
  ...commonSettings,
  ...tokenSettings,
  /** Where the sources are read from. It may be away: then the copy in DATA_DIR serves. */
  DATABASE_URL: z.string('the Postgres that holds event_sources, postgres://…'),
  /** host:port, separated by commas. The local log belongs to one process, which must consume it too: that is standalone. */
  KAFKA_BROKERS: z.string(
    'the brokers, host:port,host:port; without Kafka collector and consumer run together: npm start',
  ),
  SOURCES_REFRESH_MS: z.coerce.number().int().min(100).default(5000),
  /** What requests may hold at once before they get a 503. */
  MAX_IN_FLIGHT_BYTES: z.coerce
    .number()
    .int()
    .min(1024 * 1024)
    .default(32 * 1024 * 1024),
})
