import rateLimit from '@fastify/rate-limit'
import { RequestError } from '@platform-events/contracts'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { accountRoutes } from './account/routes.ts'
import { chatRoutes } from './chat/routes.ts'
import type { MarketplaceContext } from './context.ts'
import { allowOrigins } from './cors.ts'
import { asRequestError } from './database-errors.ts'
import { guestRoutes } from './guest/routes.ts'
import { monitoringRoutes } from './monitoring/routes.ts'
import { MARKETPLACE_OPENAPI } from './openapi.ts'

/** Everything that the module answers, under /api. A rate is bounded where a route has `config.rateLimit`, in this process's memory. */
export function marketplaceRoutes(context: MarketplaceContext): FastifyPluginAsync {
  return async (app) => {
    await app.register(rateLimit, {
      global: false,
      errorResponseBuilder: (_request, { ttl }) =>
        new RequestError('rate_limited', 'More of these were asked than this caller may.', {
          retryAfterSeconds: ttl / 1000,
        }),
    })
    readAnythingAsJson(app)
    allowOrigins(app, context.origins)
    // Thrown on to the handler that every service has.
    app.setErrorHandler((error) => {
      throw asRequestError(error)
    })
    app.addHook('onSend', async (_request, reply) => {
      reply.header('cache-control', 'no-store')
    })
    await app.register(chatRoutes(context))
    await app.register(guestRoutes(context))
    await app.register(accountRoutes(context))
    await app.register(monitoringRoutes(context))
    app.get('/api/openapi.json', async () => MARKETPLACE_OPENAPI)
  }
}

/** As the other services do: what `curl -d` sends without a header is JSON too. */
function readAnythingAsJson(app: FastifyInstance): void {
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser('*', { parseAs: 'string' }, app.getDefaultJsonParser('ignore', 'ignore'))
}
