import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose'

/** Whom the platform's JWT names. */
export interface PlatformIdentity {
  /** The user's id (`sub`); absent for a service token. */
  userId: string | undefined
  /** `anon`, `authenticated` or `service_role`. */
  role: string | undefined
}

/** Checks a JWT of the platform. Resolves with null for one that is not valid (signature, expiry, form). */
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

async function identityOf(verified: Promise<{ payload: JWTPayload }>): Promise<PlatformIdentity | null> {
  try {
    const { payload } = await verified
    return { userId: payload.sub, role: typeof payload['role'] === 'string' ? payload['role'] : undefined }
  } catch {
    return null
  }
}
