import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { Pool } from '@platform-events/postgres'
import type { Logger, Registry, VerifyPlatformJwt } from '@platform-events/runtime'
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import { ANALYSES } from './analysis/analyses.ts'
import { analysisRoutes } from './analysis/routes.ts'
import { askerQueue } from './asker-queue.ts'
import { createAuthenticator } from './auth.ts'
import { countByType } from './counts.ts'
import { ledgerMetrics } from './ledger-metrics.ts'
import { analysisMetrics, queryMetrics } from './metrics.ts'
import { OPENAPI } from './openapi.ts'
import { ledgerRoute, operatorRoutes } from './operator-routes.ts'
import { sessionRoutes } from './session.ts'
import { damagedSegments } from './slices/damaged-segments.ts'
import { segmentCache } from './slices/segment-cache.ts'
import { createTail } from './tail.ts'
import { tailRoute } from './tail-route.ts'
import { walkPool } from './walk/pool.ts'

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
  /** How many analyses are answered at once; by default one less than the pool has connections, and 4 at most. */
  analysesAtOnce?: number
  /** How many questions may wait for their turn; 200 unless told. */
  maxWaiting?: number
  /** Worker threads that walk; as many as there are cores, and 2 at most, unless told. */
  walkThreads?: number
  /** Whether the threads begin at once and before anything listens, and not when they are asked first. */
  walkEarly?: boolean
  /** What decoded closed days may take, in bytes; 256 MiB unless told. */
  segmentCacheBytes?: number
}

/** As the collector does: what `curl -d` sends without a header is JSON too. */
function readAnythingAsJson(app: FastifyInstance): void {
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser('*', { parseAs: 'string' }, app.getDefaultJsonParser('ignore', 'ignore'))
}

/** 50 analysts who ask at once all get their answer. */
const MAX_WAITING = 200
const MAX_WAITING_EACH = 50
const MAX_WAIT_MS = 20_000

/**
 * The paths that answer questions: /v1/counts, those of the analyses, /v1/events/tail, /v1/session and /openapi.json.
 * All but the last two want an operator token, the JWT of an admin, or the cookie that /v1/session makes of an operator token.
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
    const cache = segmentCache(
      options.segmentCacheBytes ?? 256 * 1024 ** 2,
      damagedSegments({ logger, registry: options.metrics }),
    )
    const walks = walkPool({ threads: options.walkThreads ?? Math.min(2, availableParallelism()), logger })
    const queue = askerQueue({
      slots: options.analysesAtOnce ?? Math.max(1, Math.min(4, pool.options.max - 1)),
      maxWaiting: options.maxWaiting ?? MAX_WAITING,
      maxWaitingEach: MAX_WAITING_EACH,
      maxWaitMs: MAX_WAIT_MS,
    })
    analysisMetrics(options.metrics, { queue, cache })
    if (options.walkEarly) {
      const started = walks.start()
      // Who listens is ready for the first question.
      app.addHook('onReady', () => started)
    }
    app.addHook('onClose', () => walks.stop())
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
      const askers = new WeakMap<FastifyRequest, string>()
      guarded.addHook('onRequest', async (request, reply) => {
        askers.set(request, await authenticator.authenticate(request, reply))
        reply.header('cache-control', 'no-store')
      })
      await guarded.register(
        analysisRoutes(ANALYSES, {
          ...{ pool, queue, walks, cache, metrics, clock },
          askerOf: (request) => askers.get(request)!,
          withoutQuestion: {
            counts: (request) => metrics.timed('counts', () => countByType(pool, request.query, clock())),
          },
        }),
      )
      guarded.get('/v1/events/tail', tailRoute(tail))
    })
  }
}
