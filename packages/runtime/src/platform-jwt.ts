import { RequestError } from '@platform-events/contracts'
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify, SignJWT } from 'jose'

/** Whom the platform's JWT names. */
export interface PlatformIdentity {
  /** The user's id (`sub`); absent for a service token. */
  userId: string | undefined
  /** `anon`, `authenticated` or `service_role`. */
  role: string | undefined
}

/** How the platform's JWTs are checked; JWT_SECRET wins where both are given. */
export interface PlatformJwtSettings {
  JWT_SECRET?: string | undefined
  JWKS_URL?: string | undefined
  /** The `iss` that a token must have; absent: any. */
  JWT_ISSUER?: string | undefined
  /** What `aud` must be, or have in it; absent: any. */
  JWT_AUDIENCE?: string | undefined
}

/**
 * Checks a JWT of the platform. Resolves with null for one that is not valid (signature, expiry, issuer, audience, form).
 *
 * @throws RequestError identity_unavailable while the platform's keys cannot be fetched: nobody can say then
 */
export type VerifyPlatformJwt = (token: string) => Promise<PlatformIdentity | null>

/**
 * HS256 by the shared secret, or the public keys at an URL; with neither, no JWT is valid. None is without `exp`: it would be valid for ever.
 */
export function platformJwtVerifier(settings: PlatformJwtSettings): VerifyPlatformJwt {
  const { JWT_SECRET, JWKS_URL } = settings
  if (JWT_SECRET !== undefined) {
    const secret = new TextEncoder().encode(JWT_SECRET)
    return (token) => identityOf(jwtVerify(token, secret, { algorithms: ['HS256'], requiredClaims: ['exp'] }), settings)
  }
  if (JWKS_URL !== undefined) {
    const keys = createRemoteJWKSet(new URL(JWKS_URL))
    return (token) =>
      identityOf(jwtVerify(token, keys, { algorithms: ['ES256', 'RS256', 'EdDSA'], requiredClaims: ['exp'] }), settings)
  }
  return async () => null
}

/** A token as the platform would give this user, good for 12 hours: for a laptop, where no platform signs anybody in. */
export async function signPlatformJwt(
  settings: Omit<PlatformJwtSettings, 'JWKS_URL'> & { JWT_SECRET: string },
  userId: string,
): Promise<string> {
  const { JWT_SECRET, JWT_ISSUER: iss, JWT_AUDIENCE: aud } = settings
  return await new SignJWT({
    role: 'authenticated',
    ...(iss !== undefined && { iss }),
    ...(aud !== undefined && { aud }),
  })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(userId)
    .setIssuedAt()
    .setExpirationTime('12h')
    .sign(new TextEncoder().encode(JWT_SECRET))
}

async function identityOf(
  verified: Promise<{ payload: JWTPayload }>,
  settings: PlatformJwtSettings,
): Promise<PlatformIdentity | null> {
  try {
    const { payload } = await verified
    if (!isMeantForUs(payload, settings)) return null
    return { userId: payload.sub, role: typeof payload['role'] === 'string' ? payload['role'] : undefined }
  } catch (error) {
    if (isVerdict(error)) return null
    throw new RequestError('identity_unavailable', 'The platform’s keys cannot be fetched.', { cause: error })
  }
}

/** The issuer in the keys that Supabase makes once for a project: anon and service_role. They have no audience. */
const ISSUER_OF_KEYS = 'supabase'

/**
 * Whether issuer and audience are as the settings want them. A service_role key of Supabase is not made by its Auth, so it has neither: it may
 * leave `aud` out, and its `iss` may be "supabase". An `aud` that it does have counts.
 */
function isMeantForUs({ iss, aud, role }: JWTPayload, { JWT_ISSUER, JWT_AUDIENCE }: PlatformJwtSettings): boolean {
  const isService = role === 'service_role'
  const rightIssuer = JWT_ISSUER === undefined || iss === JWT_ISSUER || (isService && iss === ISSUER_OF_KEYS)
  const rightAudience =
    JWT_AUDIENCE === undefined || [aud ?? []].flat().includes(JWT_AUDIENCE) || (isService && aud === undefined)
  return rightIssuer && rightAudience
}

/** jose's errors are about the token, but for a key set that timed out or was no key set; all others are the network's. */
function isVerdict(error: unknown): boolean {
  return (
    error instanceof errors.JOSEError &&
    !['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC'].includes(error.code)
  )
}
