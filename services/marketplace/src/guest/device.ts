import { createHash, randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'

const COOKIE = 'guest_device'
/** As long as a guest session. */
const DAY_SECONDS = 24 * 60 * 60

/**
 * Tells one browser from another by a random cookie that no script reads, and that lives for a day from each reply on.
 *
 * @param origins pages of which other sites may call: only `SameSite=None` comes along from there, which browsers take over https alone
 * @returns the sha256 (hex) of the cookie: what is stored opens nothing
 */
export function deviceOf(request: FastifyRequest, reply: FastifyReply, origins: readonly string[]): string {
  const given = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]{43})(?:;|$)`).exec(request.headers.cookie ?? '')?.[1]
  const device = given ?? randomBytes(32).toString('base64url')
  const secure = isHttps(request)
  const sameSite = secure && origins.length > 0 ? 'None' : 'Lax'
  reply.header(
    'set-cookie',
    `${COOKIE}=${device}; Path=/api/guest; Max-Age=${DAY_SECONDS}; HttpOnly; SameSite=${sameSite}${secure ? '; Secure' : ''}`,
  )
  return createHash('sha256').update(device).digest('hex')
}

/** Also where a proxy took the TLS off; whoever sends that header themselves changes their own cookie alone. */
function isHttps(request: FastifyRequest): boolean {
  const forwarded = request.headers['x-forwarded-proto']
  return request.protocol === 'https' || /^\s*https\s*(,|$)/i.test(String(forwarded ?? ''))
}
