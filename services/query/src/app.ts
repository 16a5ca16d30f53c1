import { buildHttp, type HealthCheck } from '@platform-events/runtime'
import type { FastifyInstance } from 'fastify'
import { type QueryOptions, queryRoutes } from './routes.ts'

export interface QueryAppOptions extends QueryOptions {
  /** What /readyz asks besides Postgres. */
  checks?: Record<string, HealthCheck>
}

/** The query service alone: its routes and the operator's paths. Nothing listens yet. */
export async function buildQueryApp(options: QueryAppOptions): Promise<FastifyInstance> {
  const postgres: HealthCheck = async () => {
    await options.pool.query('select 1')
    return { ok: true }
  }
  const app = buildHttp({
    logger: options.logger,
    metrics: options.metrics,
    checks: { postgres, ...options.checks },
  })
  await app.register(queryRoutes(options))
  return app
}
