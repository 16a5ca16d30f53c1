import { randomBytes } from 'node:crypto'
import type { Pool } from '@platform-events/postgres'
import type { Logger, Registry, VerifyPlatformJwt } from '@platform-events/runtime'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { createAuthenticator } from './auth.ts'
import { countEvents } from './counts.ts'
import { askFunnel } from './funnel.ts'
import { ledgerMetrics } from './ledger-metrics.ts'
import { queryMetrics } from './metrics.ts'
import { OPENAPI } from './openapi.ts'
import { ledgerRoute, operatorRoutes } from './operator-routes.ts'
import { sessionRoutes } from './session.ts'
import { createTail } from './tail.ts'
import { tailRoute } from './tail-route.ts'

export interface QueryOptions {
  pool: Pool
  verifyJwt: VerifyPlatformJwt
  logger: Logger
  metrics: Registry
  /** Milliseconds since 1970. */
  clock?: () => number
  /** 32 bytes that sign session cookies; a random key, and so sessions that end with the process, if absent. */
  sessionKey?: Uint8Array
  /** How many may follow the live tail at once; 200 unless told. */
  maxTailSubscribers?: number
}

/** As the collector does: what `curl -d` sends without a header is JSON too. */
function readAnythingAsJson(app: FastifyInstance): void {
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser('*', { parseAs: 'string' }, app.getDefaultJsonParser('ignore', 'ignore'))
}

const FUNNEL_BODY_BYTES = 64 * 1024

/**
 * The paths that answer questions: /v1/counts, /v1/funnel, /v1/events/tail, /v1/session and /openapi.json.
 * The first three want an operator token, the JWT of an admin, or the cookie that /v1/session makes of an operator token.
 * What operators see and do about loss events, dead letters and the ledger is in operator-routes.ts.
 */
export function queryRoutes(options: QueryOptions): FastifyPluginAsync {
  const { pool, logger } = options
  const clock = options.clock ?? Date.now
  const sessionKey = options.sessionKey ?? randomBytes(32)
  return async (app) => {
    const metrics = queryMetrics(options.metrics)
    ledgerMetrics(options.metrics, pool, clock)
    const authenticator = createAuthenticator({ pool, verifyJwt: options.verifyJwt, clock, sessionKey })
    const tail = createTail({ pool, logger, clock, metrics, maxSubscribers: options.maxTailSubscribers })
    // Open streams would hold up app.close() for ever.
    app.addHook('preClose', () => tail.close())

    app.get('/openapi.json', async () => OPENAPI)
    await app.register(sessionRoutes({ authenticator, clock, sessionKey }))
    await app.register(async (operated) => {
      readAnythingAsJson(operated)
      await operated.register(operatorRoutes(pool, authenticator))
      await operated.register(ledgerRoute(pool, authenticator, clock))
    })
    await app.register(async (guarded) => {
      readAnythingAsJson(guarded)
      guarded.addHook('onRequest', async (request, reply) => {
        await authenticator.authenticate(request, reply)
        reply.header('cache-control', 'no-store')
      })
      guarded.get('/v1/counts', (request) => metrics.timed('counts', () => countEvents(pool, request.query, clock())))
      guarded.post('/v1/funnel', { bodyLimit: FUNNEL_BODY_BYTES }, (request) =>
        metrics.timed('funnel', () => askFunnel(pool, request.body, clock())),
      )
      guarded.get('/v1/events/tail', tailRoute(tail))
    })
  }
}
