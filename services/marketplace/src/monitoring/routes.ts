import type { FastifyPluginAsync } from 'fastify'
import type { MarketplaceContext } from '../context.ts'
import { parse } from '../parse.ts'
import { monitoringMetrics } from './metrics.ts'
import { readMonitoring, readRowSecurityCost } from './read-monitoring.ts'
import { MONITORING_QUERY, type Monitoring } from './shapes.ts'

const TIMEOUT_MS = 10_000

/** What operators watch: GET /api/monitoring, and the gauges that are computed at the scrape. */
export function monitoringRoutes(context: MarketplaceContext): FastifyPluginAsync {
  return async (app) => {
    monitoringMetrics(context.metrics, context.pool, context.clock)
    app.get('/api/monitoring', { preHandler: context.authorizeOperator }, async (request): Promise<Monitoring> => {
      const { row_security } = parse(MONITORING_QUERY, request.query)
      const figures = await readMonitoring(context.pool, TIMEOUT_MS)
      if (row_security !== 'true') return figures
      return { ...figures, row_security: await readRowSecurityCost(context.pool, TIMEOUT_MS) }
    })
  }
}
