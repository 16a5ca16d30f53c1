import { createHash } from 'node:crypto'
import { RequestError } from '@platform-events/contracts'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { callerOf } from '../caller.ts'
import type { MarketplaceContext } from '../context.ts'
import { parse } from '../parse.ts'
import { bookingsOfGuest } from './bookings.ts'
import { convertGuest } from './conversion.ts'
import { deviceOf } from './device.ts'
import { guestSessionOf, guestTokenOf, makeGuestSession } from './sessions.ts'
import { CONVERSION, NEW_SESSION } from './shapes.ts'

const BODY_BYTES = 8 * 1024
const MINUTE_MS = 60_000

/** Of one address each: people behind one router share theirs. */
const SESSIONS_PER_MINUTE = 30
/** Apart, so that a form which is filled in wrongly holds up nobody's checkout. */
const INVALID_PER_MINUTE = 120
const READS_PER_MINUTE = 240
const CONVERSIONS_PER_MINUTE = 30
/** Of one address for one email. */
const SESSIONS_PER_EMAIL_AND_HOUR = 10

/** Guest checkout: a session, its bookings, and their conversion at the sign-up. */
export function guestRoutes({ pool, verifyJwt, origins }: MarketplaceContext): FastifyPluginAsync {
  return async (app) => {
    const perMinute = (max: number) => ({ rateLimit: { max, timeWindow: MINUTE_MS } })
    const sessionRate = app.createRateLimit({ max: SESSIONS_PER_MINUTE, timeWindow: MINUTE_MS })
    const invalidRate = app.createRateLimit({ max: INVALID_PER_MINUTE, timeWindow: MINUTE_MS })
    // The address is in the key: a bound that all share would tell whether others have used an email lately.
    const emailRate = app.createRateLimit({
      max: SESSIONS_PER_EMAIL_AND_HOUR,
      timeWindow: 60 * MINUTE_MS,
      keyGenerator: ({ ip, body }) =>
        createHash('sha256')
          .update(`${ip} ${emailIn(body)}`)
          .digest('base64url'),
    })
    const take = async (rate: typeof sessionRate, request: FastifyRequest, message: string) => {
      const used = await rate(request)
      if (!used.isAllowed && used.isExceeded)
        throw new RequestError('rate_limited', message, { retryAfterSeconds: used.ttl / 1000 })
    }

    app.post('/api/guest/session', {
      bodyLimit: BODY_BYTES,
      // Also of what is no JSON, or too long.
      errorHandler: async (error, request) => {
        const isTheirs = error instanceof RequestError ? error.code === 'invalid_query' : isClientError(error)
        if (isTheirs) await take(invalidRate, request, 'This address has sent many requests that are not valid.')
        throw error
      },
      handler: async (request, reply) => {
        // An address is not mended: it would be another's.
        const guest = parse(NEW_SESSION, request.body, ['email'])
        await take(sessionRate, request, 'This address has made many guest sessions lately.')
        await take(emailRate, request, 'This email has had many guest sessions lately.')
        const browser = { device: deviceOf(request, reply, origins), earlierToken: guestTokenOf(request) }
        return reply.code(201).send(await makeGuestSession(pool, guest, browser))
      },
    })

    app.get('/api/guest/session', { config: perMinute(READS_PER_MINUTE) }, (request) => guestSessionOf(pool, request))

    app.get('/api/guest/bookings', { config: perMinute(READS_PER_MINUTE) }, async (request) => {
      const guest = await guestSessionOf(pool, request)
      return { bookings: await bookingsOfGuest(pool, guest.id) }
    })

    app.post(
      '/api/guest/convert',
      { bodyLimit: BODY_BYTES, config: perMinute(CONVERSIONS_PER_MINUTE) },
      async (request) => {
        const { userId } = await callerOf(request, verifyJwt)
        const { session_token } = parse(CONVERSION, request.body)
        return { bookings: await convertGuest(pool, userId, session_token) }
      },
    )
  }
}

/** Fastify's own, before there is a body. */
function isClientError({ statusCode }: { statusCode?: number | undefined }): boolean {
  return statusCode !== undefined && statusCode >= 400 && statusCode < 500
}

/** As it is stored: Ana@… and ana@… are one. */
function emailIn(body: unknown): string {
  return NEW_SESSION.shape.email.safeParse((body as { email?: unknown } | null)?.email).data ?? ''
}
