import { RequestError } from '@platform-events/contracts'
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify, SignJWT } from 'jose'

/** Whom the platform's JWT names. */
export interface PlatformIdentity {
  /** The user's id (`sub`); absent for a service token. */
  userId: string | undefined
  /** `anon`, `authenticated` or `service_role`. */
  role: string | undefined
}

/**
 * Checks a JWT of the platform. Resolves with null for one that is not valid (signature, expiry, form).
 *
 * @throws RequestError identity_unavailable while the platform's keys cannot be fetched: nobody can say then
 */
export type VerifyPlatformJwt = (token: string) => Promise<PlatformIdentity | null>

/** HS256 by the shared secret, or the public keys at an URL; with neither, no JWT is valid. */
export function platformJwtVerifier(settings: {
  JWT_SECRET?: string | undefined
  JWKS_URL?: string | undefined
}): VerifyPlatformJwt {
  const { JWT_SECRET, JWKS_URL } = settings
  if (JWT_SECRET !== undefined) {
    const secret = new TextEncoder().encode(JWT_SECRET)
    return (token) => identityOf(jwtVerify(token, secret, { algorithms: ['HS256'] }))
  }
  if (JWKS_URL !== undefined) {
    const keys = createRemoteJWKSet(new URL(JWKS_URL))
    return (token) => identityOf(jwtVerify(token, keys, { algorithms: ['ES256', 'RS256', 'EdDSA'] }))
  }
  return async () => null
}

/** A token as the platform would give this user, good for 12 hours: for a laptop, where no platform signs anybody in. */
export async function signPlatformJwt(secret: string, userId: string): Promise<string> {
  return await new SignJWT({ role: 'authenticated' })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(userId)
    .setIssuedAt()
    .setExpirationTime('12h')
    .sign(new TextEncoder().encode(secret))
}

async function identityOf(verified: Promise<{ payload: JWTPayload }>): Promise<PlatformIdentity | null> {
  try {
    const { payload } = await verified
    return { userId: payload.sub, role: typeof payload['role'] === 'string' ? payload['role'] : undefined }
  } catch (error) {
    if (isVerdict(error)) return null
    throw new RequestError('identity_unavailable', 'The platform’s keys cannot be fetched.', { cause: error })
  }
}

/** jose's errors are about the token, but for a key set that timed out or was no key set; all others are the network's. */
function isVerdict(error: unknown): boolean {
  return (
    error instanceof errors.JOSEError &&
    !['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC'].includes(error.code)
  )
}
