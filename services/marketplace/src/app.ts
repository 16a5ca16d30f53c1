import { buildHttp, type HealthCheck } from '@platform-events/runtime'
import type { FastifyInstance } from 'fastify'
import type { MarketplaceContext } from './context.ts'
import { marketplaceRoutes } from './routes.ts'

export interface MarketplaceAppOptions extends MarketplaceContext {
  trustProxy?: string | number | undefined
  /** What /readyz tells of besides, without letting it decide. */
  behind?: Record<string, HealthCheck>
}

/** The module alone: its routes and the operator's paths. Nothing listens yet. */
export async function buildMarketplaceApp(options: MarketplaceAppOptions): Promise<FastifyInstance> {
  const postgres: HealthCheck = async () => {
    await options.pool.query('select 1')
    return { ok: true }
  }
  const app = buildHttp({
    logger: options.logger,
    metrics: options.metrics,
    checks: { postgres },
    trustProxy: options.trustProxy,
    ...(options.behind === undefined ? {} : { behind: options.behind }),
  })
  await app.register(marketplaceRoutes(options))
  return app
}
