import { RequestError } from '@platform-events/contracts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { KeyHolder } from './source.ts'

/** A day; browsers cap it at two hours (Chromium) or a day (Firefox). */
const MAX_AGE_SECONDS = 86_400

/** Lets a page of any origin read the answer, errors included. No credentials are in play, so `*` gives nothing away. */
export function allowReading(request: FastifyRequest, reply: FastifyReply): void {
  if (request.headers.origin === undefined) return
  reply.header('access-control-allow-origin', '*')
  reply.header('access-control-expose-headers', 'retry-after')
}

/** Answers a preflight. Which source it is for is not known yet: the origin is checked at the POST. */
export function answerPreflight(_request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply
    .header('access-control-allow-methods', 'POST')
    .header('access-control-allow-headers', 'authorization, content-type, content-encoding')
    .header('access-control-max-age', MAX_AGE_SECONDS)
    .code(204)
    .send()
}

/**
 * Binds a public key to the origins of its source. Only browsers send an Origin; without one there is nothing to check.
 *
 * @throws RequestError origin_not_allowed
 */
export function checkOrigin(request: FastifyRequest, reply: FastifyReply, { source, secret }: KeyHolder): void {
  const { origin } = request.headers
  if (origin === undefined || secret || source.allowedOrigins.includes('*')) return
  reply.header('access-control-allow-origin', origin)
  reply.header('vary', 'origin')
  if (!source.allowedOrigins.some((allowed) => sameOrigin(allowed, origin)))
    throw new RequestError('origin_not_allowed', `The origin ${origin.slice(0, 200)} is not allowed for this key.`)
}

/** Origins are lower case on the wire; people write them otherwise, and with a slash. */
function sameOrigin(allowed: string, origin: string): boolean {
  return allowed.trim().replace(/\/+$/, '').toLowerCase() === origin.toLowerCase()
}
