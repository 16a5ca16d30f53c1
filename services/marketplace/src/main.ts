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
import { buildMarketplaceApp } from './app.ts'
import { assistantOf } from './assistant/assistant-of.ts'
import { createJobs } from './jobs/jobs.ts'
import { operatorTokenGuard } from './operator.ts'
import { marketplaceSettings } from './settings.ts'

const settings = readConfigOrExit(
  z.object({
    ...commonSettings,
    ...tokenSettings,
    ...databaseSettings,
    ...marketplaceSettings,
    MARKETPLACE_CONNECTIONS: z.coerce.number().int().min(2, 'at least 2').default(8),
  }),
  process.env,
)

const logger = createLogger({ name: 'marketplace', level: settings.LOG_LEVEL })
const pool = createPool({
  connectionString: settings.DATABASE_URL,
  applicationName: 'platform-events marketplace',
  max: settings.MARKETPLACE_CONNECTIONS,
})
await startOrExit(settings, async () => {
  const metrics = createMetrics()
  const jobs = createJobs({ pool, logger, metrics })
  const app = await buildMarketplaceApp({
    pool,
    verifyJwt: platformJwtVerifier(settings),
    logger,
    metrics,
    assistant: assistantOf(settings),
    origins: settings.MARKETPLACE_ORIGINS,
    clock: Date.now,
    authorizeOperator: operatorTokenGuard(pool),
    trustProxy: settings.TRUST_PROXY,
    behind: { jobs: jobs.check },
  })
  const components = [
    postgresComponent(pool, logger),
    jobs,
    httpComponent(app, { host: settings.HOST, port: settings.PORT }),
  ]
  await exitOnSignals((stopping) => startComponents(components, logger, stopping))
  logger.info({ host: settings.HOST, port: settings.PORT }, 'marketplace service listens')
})
