import { createHash, randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'

const COOKIE = 'guest_device'
const YEAR_SECONDS = 365 * 24 * 60 * 60

/**
 * Tells one browser from another by a random cookie that no script reads; a browser without one gets one with this reply.
 *
 * @returns the sha256 (hex) of the cookie: what is stored opens nothing
 */
export function deviceOf(request: FastifyRequest, reply: FastifyReply): string {
  const given = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]{43})(?:;|$)`).exec(request.headers.cookie ?? '')?.[1]
  const device = given ?? randomBytes(32).toString('base64url')
  if (given === undefined) {
    const secure = request.protocol === 'https' || request.headers['x-forwarded-proto'] === 'https' ? '; Secure' : ''
    reply.header(
      'set-cookie',
      `${COOKIE}=${device}; Path=/api/guest; Max-Age=${YEAR_SECONDS}; HttpOnly; SameSite=Strict${secure}`,
    )
  }
  return createHash('sha256').update(device).digest('hex')
}
