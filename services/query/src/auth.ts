import { createHash } from 'node:crypto'
import { RequestError } from '@platform-events/contracts'
import type { Pool } from '@platform-events/postgres'
import type { VerifyPlatformJwt } from '@platform-events/runtime'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isAdmin, operatorTokens } from './bearers.ts'
import { refuseCrossOrigin } from './same-origin.ts'
import { readSessionCookie } from './session-cookie.ts'

export interface AuthenticatorOptions {
  pool: Pool
  verifyJwt: VerifyPlatformJwt
  /** Milliseconds since 1970. */
  clock: () => number
  sessionKey: Uint8Array
}

export interface Authenticator {
  /**
   * Lets a request through if its bearer may ask: an operator token, the JWT of an admin or of the service role, or a
   * session cookie whose operator token still stands.
   *
   * @returns whose it is: the same for all requests of a token and of its sessions, and of a user
   * @throws RequestError unauthorized, forbidden, cross_origin, database_unavailable
   */
  authenticate(request: FastifyRequest, reply: FastifyReply): Promise<string>
  /** Lets an operator through: by token, or by the session cookie that was made of one; no JWT. @throws as above */
  authenticateOperator(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** The hash of the operator token that a request bears in its Authorization header. @throws as above */
  operatorTokenHash(request: FastifyRequest, reply: FastifyReply): Promise<Buffer>
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Tells who may ask. Unknown, revoked and malformed bearers get the same answer. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { pool, verifyJwt, clock, sessionKey } = options
  const tokens = operatorTokens(pool, clock)

  async function operatorTokenHash(request: FastifyRequest, reply: FastifyReply): Promise<Buffer> {
    const bearer = bearerOf(request)
    if (bearer === undefined) throw unauthorized(reply, 'This request carries no bearer token.')
    const hash = sha256(bearer)
    if (!bearer.startsWith('op_') || !(await tokens.stands(hash)))
      throw unauthorized(reply, 'This is no operator token that stands.')
    return hash
  }

  async function authenticateJwt(token: string, reply: FastifyReply): Promise<string> {
    const identity = await verifyJwt(token)
    if (identity === null) throw unauthorized(reply, 'This bearer token is not valid.')
    if (identity.role === 'service_role') return identity.role
    if (identity.userId === undefined || !(await isAdmin(pool, identity.userId)))
      throw new RequestError('forbidden', 'The bearer of this token is not an admin.')
    return `user ${identity.userId}`
  }

  async function authenticateSession(request: FastifyRequest, reply: FastifyReply): Promise<Buffer> {
    const hash = readSessionCookie(request.headers.cookie, sessionKey, clock())
    if (hash === 'none') throw unauthorized(reply, 'This request carries no bearer token and no session.')
    if (hash === 'invalid' || !(await tokens.stands(hash))) throw unauthorized(reply, 'This session has ended.')
    if (!SAFE_METHODS.has(request.method)) refuseCrossOrigin(request)
    return hash
  }

  return {
    operatorTokenHash,
    async authenticateOperator(request, reply) {
      if (bearerOf(request) === undefined) await authenticateSession(request, reply)
      else await operatorTokenHash(request, reply)
    },
    async authenticate(request, reply) {
      const bearer = bearerOf(request)
      if (bearer === undefined) return ofToken(await authenticateSession(request, reply))
      if (bearer.startsWith('op_')) return ofToken(await operatorTokenHash(request, reply))
      if (/^[ps]k_/.test(bearer)) throw unauthorized(reply, 'This is a write key: it sends events and reads nothing.')
      return authenticateJwt(bearer, reply)
    },
  }
}

function ofToken(hash: Buffer): string {
  return `token ${hash.toString('base64')}`
}

function bearerOf(request: FastifyRequest): string | undefined {
  const header = request.headers.authorization
  return header === undefined ? undefined : /^bearer +(\S+)\s*$/i.exec(header)?.[1]
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function unauthorized(reply: FastifyReply, message: string): RequestError {
  reply.header('www-authenticate', 'Bearer')
  return new RequestError('unauthorized', message)
}
