import { createLogger, createMetrics, platformJwtVerifier } from '@platform-events/runtime'
import type { FastifyInstance } from 'fastify'
import { inject } from 'vitest'
import { buildMarketplaceApp, type MarketplaceAppOptions } from '../../services/marketplace/src/app.ts'
import { offlineAssistant } from '../../services/marketplace/src/assistant/offline.ts'
import { operatorTokenGuard } from '../../services/marketplace/src/operator.ts'
import { PLATFORM_SECRET } from './platform-token.ts'
import { cloneDatabase, type TestDatabase } from './postgres.ts'

/** A database of one's own with the core and the marketplace, and the platform's own tables in their minimal form. */
export async function createMarketplaceDatabase(): Promise<TestDatabase> {
  const template = inject('marketplaceTemplate')
  if ('error' in template) throw new Error(template.error)
  return await cloneDatabase(template.name)
}

/** The marketplace over this database, for tokens of `platformToken()`; nothing listens: `app.inject()`. */
export async function marketplaceApp(
  database: Pick<TestDatabase, 'pool'>,
  options: Partial<MarketplaceAppOptions> = {},
): Promise<FastifyInstance> {
  return await buildMarketplaceApp({
    pool: database.pool,
    verifyJwt: platformJwtVerifier({ JWT_SECRET: PLATFORM_SECRET }),
    logger: createLogger({ name: 'marketplace', level: 'silent' }),
    metrics: createMetrics(),
    assistant: offlineAssistant(10_000),
    origins: [],
    clock: Date.now,
    authorizeOperator: operatorTokenGuard(database.pool),
    ...options,
  })
}
