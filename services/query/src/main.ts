import { createHash } from 'node:crypto'
import { createPool, postgresComponent } from '@platform-events/postgres'
import {
  commonSettings,
  createLogger,
  createMetrics,
  databaseSettings,
  exitOnSignals,
  httpComponent,
  platformJwtVerifier,
  readConfigOrExit,
  startComponents,
  startOrExit,
  tokenSettings,
} from '@platform-events/runtime'
import { z } from 'zod'
import { analysisOptions, analysisSettings } from './analysis-settings.ts'
import { buildQueryApp } from './app.ts'

const settings = readConfigOrExit(
  z.object({
    ...commonSettings,
    ...tokenSettings,
    ...databaseSettings,
    /** Signs session cookies; without it a restart ends the sessions. The same on all instances of this service. */
    SESSION_SECRET: z.string().min(32, 'at least 32 characters').optional(),
    /** One of them cancels what the others run. */
    QUERY_CONNECTIONS: z.coerce.number().int().min(2, 'at least 2').default(4),
    ...analysisSettings,
  }),
  process.env,
)

const logger = createLogger({ name: 'query', level: settings.LOG_LEVEL })
const pool = createPool({
  connectionString: settings.DATABASE_URL,
  applicationName: 'platform-events query',
  max: settings.QUERY_CONNECTIONS,
})
await startOrExit(settings, async () => {
  const app = await buildQueryApp({
    pool,
    verifyJwt: platformJwtVerifier(settings),
    logger,
    metrics: createMetrics(),
    ...analysisOptions(settings),
    ...(settings.SESSION_SECRET === undefined
      ? {}
      : { sessionKey: createHash('sha256').update(settings.SESSION_SECRET).digest() }),
  })
  const components = [postgresComponent(pool, logger), httpComponent(app, { host: settings.HOST, port: settings.PORT })]
  await exitOnSignals((stopping) => startComponents(components, logger, stopping))
  logger.info({ host: settings.HOST, port: settings.PORT }, 'query service listens')
})
