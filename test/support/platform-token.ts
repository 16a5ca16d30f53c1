import { createHmac } from 'node:crypto'

/** The secret of the platform in tests. */
export const PLATFORM_SECRET = 'a secret of the platform for tests only'

/** A JWT as the platform makes it (HS256), good for an hour unless told. Times are in seconds since 1970. */
export function platformToken(claims: { sub?: string; role?: string; exp?: number }, secret = PLATFORM_SECRET): string {
  const exp = Math.floor(Date.now() / 1000) + 3600
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ role: 'authenticated', exp, ...claims })}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
