import { RequestError } from '@platform-events/contracts'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { callerOf } from '../caller.ts'
import type { MarketplaceContext } from '../context.ts'
import { parse } from '../parse.ts'
import { replyWithExport } from './export-reply.ts'
import { ExportSlots } from './export-slots.ts'
import { forgetAccount } from './forget.ts'
import { EXPORT_QUERY } from './shapes.ts'

const HOUR_MS = 3_600_000
const EXPORTS_PER_HOUR = 10
const DELETIONS_PER_HOUR = 10
/** Of one address, before anybody looks at its tokens. */
const REQUESTS_PER_HOUR = 200

/** One's own data: all of it at once, or none any more. */
export function accountRoutes({ pool, verifyJwt }: MarketplaceContext): FastifyPluginAsync {
  return async (app) => {
    const slots = new ExportSlots()
    const config = { rateLimit: { max: REQUESTS_PER_HOUR, timeWindow: HOUR_MS } }
    const keyGenerator = async (request: FastifyRequest) => (await callerOf(request, verifyJwt)).userId
    const exportRate = app.createRateLimit({ max: EXPORTS_PER_HOUR, timeWindow: HOUR_MS, keyGenerator })
    const deletionRate = app.createRateLimit({ max: DELETIONS_PER_HOUR, timeWindow: HOUR_MS, keyGenerator })
    const bounded = async (request: FastifyRequest, rate: typeof exportRate) => {
      const used = await rate(request)
      if (!used.isAllowed && used.isExceeded)
        throw new RequestError('rate_limited', 'This account has asked for that often lately.', {
          retryAfterSeconds: used.ttl / 1000,
        })
    }

    app.get('/api/account/export', { config }, async (request, reply) => {
      const { userId } = await callerOf(request, verifyJwt)
      const { format } = parse(EXPORT_QUERY, request.query)
      await bounded(request, exportRate)
      const accepted = request.headers.accept?.includes('application/zip') ? 'zip' : 'json'
      const onEnd = slots.take(userId)
      return await replyWithExport(reply, { pool, userId, format: format ?? accepted, onEnd })
    })

    app.delete('/api/account', { config }, async (request) => {
      const { userId } = await callerOf(request, verifyJwt)
      await bounded(request, deletionRate)
      return await forgetAccount(pool, userId)
    })
  }
}
