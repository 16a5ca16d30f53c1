import { buildHttp, type HealthCheck, type Logger } from '@platform-events/runtime'
import type { FastifyInstance } from 'fastify'
import type { CollectorOptions } from './collector-options.ts'
import { collectorRoutes } from './collector-routes.ts'

export interface CollectorAppOptions extends CollectorOptions {
  logger: Logger
  /** What /readyz asks: the log, the sources. */
  checks: Record<string, HealthCheck>
}

/** The collector as an HTTP app of its own; nothing listens yet. */
export async function buildCollector(options: CollectorAppOptions): Promise<FastifyInstance> {
  const app = buildHttp({ logger: options.logger, metrics: options.metrics, checks: options.checks })
  await app.register(collectorRoutes(options))
  return app
}
