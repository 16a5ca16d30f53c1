import { REQUEST_ERRORS, RequestError } from '@platform-events/contracts'
import { inTransaction } from '@platform-events/postgres'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { type Caller, callerOf } from '../caller.ts'
import type { MarketplaceContext } from '../context.ts'
import { asRequestError } from '../database-errors.ts'
import { parse } from '../parse.ts'
import { replyWithExport } from './export-reply.ts'
import { forgetAccount } from './forget.ts'
import { EXPORT_QUERY } from './shapes.ts'
import { Slots } from './slots.ts'

const HOUR_MS = 3_600_000
const EXPORTS_PER_HOUR = 10
const DELETIONS_PER_HOUR = 10
/** Of one address, with no token of a user's. Who has one is not held up by those who share an address. */
const STRANGERS_PER_HOUR = 200

/** Of each, in one process. The pool is others' too. */
const MOST_AT_ONCE = 2

/** Longer, and it is undone, to be asked for again. A million events take about a minute. */
const DELETION = { lockTimeoutMs: 5_000, statementTimeoutMs: 300_000, silenceMs: 360_000 }

/** One's own data: all of it at once, or none any more. */
export function accountRoutes({ pool, verifyJwt, logger }: MarketplaceContext): FastifyPluginAsync {
  return async (app) => {
    const exports = new Slots(MOST_AT_ONCE)
    const deletions = new Slots(MOST_AT_ONCE)
    const keyGenerator = async (request: FastifyRequest) => (await callerOf(request, verifyJwt)).userId
    const exportRate = app.createRateLimit({ max: EXPORTS_PER_HOUR, timeWindow: HOUR_MS, keyGenerator })
    const deletionRate = app.createRateLimit({ max: DELETIONS_PER_HOUR, timeWindow: HOUR_MS, keyGenerator })
    const strangerRate = app.createRateLimit({ max: STRANGERS_PER_HOUR, timeWindow: HOUR_MS })
    type Rate = typeof exportRate

    const signedIn = async (request: FastifyRequest): Promise<Caller> => {
      try {
        return await callerOf(request, verifyJwt)
      } catch (error) {
        if (error instanceof RequestError && error.code === 'sign_in_required') {
          const used = await strangerRate(request)
          if (!used.isAllowed && used.isExceeded) throw tooOften('This address', used.ttl)
        }
        throw error
      }
    }
    /** Takes a place, and then looks at the rate: who is told to come again later has not used it up. */
    const takePlace = async (request: FastifyRequest, userId: string, slots: Slots, rate: Rate) => {
      const giveBack = slots.take(userId)
      try {
        const used = await rate(request, { increment: false })
        if (!used.isAllowed && used.remaining === 0) throw tooOften('This account', used.ttl)
        return giveBack
      } catch (error) {
        giveBack()
        throw error
      }
    }

    // Without HEAD, which would read everything to send nothing.
    app.get('/api/account/export', { exposeHeadRoute: false }, async (request, reply) => {
      const { userId } = await signedIn(request)
      const { format } = parse(EXPORT_QUERY, request.query)
      const accepted = request.headers.accept?.includes('application/zip') ? 'zip' : 'json'
      const onEnd = await takePlace(request, userId, exports, exportRate)
      const onBegin = async () => void (await exportRate(request))
      return await replyWithExport(reply, { pool, userId, format: format ?? accepted, onBegin, onEnd })
    })

    app.delete('/api/account', async (request) => {
      const { userId } = await signedIn(request)
      const giveBack = await takePlace(request, userId, deletions, deletionRate)
      try {
        const receipt = await inTransaction(
          pool,
          (client) => forgetAccount(client, userId, { logger, requestId: request.id }),
          DELETION,
        )
        await deletionRate(request)
        return receipt
      } catch (error) {
        // What Postgres could not do just now is asked for again.
        if (!isRetryable(error)) await deletionRate(request)
        throw error
      } finally {
        giveBack()
      }
    })
  }
}

function tooOften(who: string, ttlMs: number): RequestError {
  return new RequestError('rate_limited', `${who} has asked for that often lately.`, {
    retryAfterSeconds: ttlMs / 1000,
  })
}

function isRetryable(error: unknown): boolean {
  const known = asRequestError(error)
  return known instanceof RequestError && REQUEST_ERRORS[known.code].retryable
}
