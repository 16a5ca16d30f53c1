import { createHmac, timingSafeEqual } from 'node:crypto'

/** The cookie's name. */
export const SESSION_COOKIE = 'platform_events_session'

/** A session ends after this, whatever happens in it. */
export const SESSION_SECONDS = 12 * 60 * 60

/**
 * The value of a session cookie: the hash of the operator token, the end of the session in seconds since 1970, and an
 * HMAC over both. It names the token without being it (the hash alone opens nothing), so that revoking the token ends
 * its sessions, and no table of sessions is needed.
 */
export function sessionCookie(tokenHash: Buffer, key: Uint8Array, nowMs: number): string {
  const end = Math.floor(nowMs / 1000) + SESSION_SECONDS
  const claim = `${tokenHash.toString('base64url')}.${end}`
  return `${claim}.${sign(claim, key).toString('base64url')}`
}

/** Reads the session out of a Cookie header: the token's hash, or why there is none. */
export function readSessionCookie(
  header: string | undefined,
  key: Uint8Array,
  nowMs: number,
): Buffer | 'none' | 'invalid' {
  const values = (header ?? '')
    .split(';')
    .map((pair) => pair.trim().split('='))
    .filter(([name]) => name === SESSION_COOKIE)
    .map(([, value]) => value ?? '')
  if (values.length === 0) return 'none'
  // A page on another port of this host may have set one of the same name: any that is ours will do.
  return values.map((value) => open(value, key, nowMs)).find((hash) => hash !== null) ?? 'invalid'
}

function open(value: string, key: Uint8Array, nowMs: number): Buffer | null {
  const parts = /^([\w-]{43})\.(\d{1,12})\.([\w-]{43})$/.exec(value)
  if (parts === null) return null
  const [, hash = '', end = '', signature = ''] = parts
  const expected = sign(`${hash}.${end}`, key)
  const given = Buffer.from(signature, 'base64url')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null
  return Number(end) * 1000 > nowMs ? Buffer.from(hash, 'base64url') : null
}

function sign(claim: string, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`platform-events session ${claim}`).digest()
}
