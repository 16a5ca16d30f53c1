import { isUuid, RequestError } from '@platform-events/contracts'
import type { VerifyPlatformJwt } from '@platform-events/runtime'
import type { FastifyRequest } from 'fastify'

/** The signed-in user who asks. */
export interface Caller {
  userId: string
}

/**
 * Tells whose the platform's JWT in the Authorization header is.
 *
 * @throws RequestError sign_in_required for one that is absent, not valid or no user's; identity_unavailable
 */
export async function callerOf(request: FastifyRequest, verifyJwt: VerifyPlatformJwt): Promise<Caller> {
  const token = bearerOf(request)
  const identity = token === undefined ? null : await verifyJwt(token)
  if (identity?.role !== 'authenticated' || identity.userId === undefined || !isUuid(identity.userId))
    throw new RequestError('sign_in_required', 'This request carries no valid token of a signed-in user.')
  return { userId: identity.userId.toLowerCase() }
}

/** What stands behind `Authorization: Bearer`. */
export function bearerOf(request: FastifyRequest): string | undefined {
  return /^bearer +(\S+)\s*$/i.exec(request.headers.authorization ?? '')?.[1]
}
