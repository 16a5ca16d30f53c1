import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { Authenticator } from './auth.ts'
import { refuseCrossOrigin } from './same-origin.ts'
import { SESSION_COOKIE, SESSION_SECONDS, sessionCookie } from './session-cookie.ts'

/**
 * POST /v1/session exchanges an operator token for an HttpOnly cookie, so that a page need not keep the token where
 * scripts can read it; DELETE /v1/session takes the cookie away.
 */
export function sessionRoutes(options: {
  authenticator: Authenticator
  clock: () => number
  sessionKey: Uint8Array
}): FastifyPluginAsync {
  const { authenticator, clock, sessionKey } = options
  return async (app) => {
    app.post('/v1/session', async (request, reply) => {
      const tokenHash = await authenticator.operatorTokenHash(request, reply)
      const value = sessionCookie(tokenHash, sessionKey, clock())
      return reply
        .code(204)
        .header('set-cookie', setCookie(request, value, SESSION_SECONDS))
        .send()
    })
    app.delete('/v1/session', async (request, reply) => {
      if (request.headers.cookie !== undefined) refuseCrossOrigin(request)
      return reply
        .code(204)
        .header('set-cookie', setCookie(request, '', 0))
        .send()
    })
  }
}

function setCookie(request: FastifyRequest, value: string, maxAge: number): string {
  const attributes = [`${SESSION_COOKIE}=${value}`, 'Path=/', 'HttpOnly', 'SameSite=Strict', `Max-Age=${maxAge}`]
  // Behind a proxy that ends TLS. A client that lies here harms its own cookie only.
  if (request.protocol === 'https' || request.headers['x-forwarded-proto'] === 'https') attributes.push('Secure')
  return attributes.join('; ')
}
