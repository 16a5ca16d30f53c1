import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { platformJwtVerifier, signPlatformJwt } from './platform-jwt.ts'

const JWT_SECRET = 'a secret of at least thirty-two characters'
const key = new TextEncoder().encode(JWT_SECRET)
const JWT_ISSUER = 'https://ref.supabase.co/auth/v1'
const JWT_AUDIENCE = 'authenticated'
const user = '0b6b3d4e-64a2-4c60-9a53-0d4b2f6f8a11'

function sign(secret: Uint8Array, expires = '1h') {
  return new SignJWT({ role: 'authenticated' })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user)
    .setExpirationTime(expires)
    .sign(secret)
}

/** Public keys at an URL, as the platform has them. */
async function serveKeys() {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig' }] })
  const server = createServer((_, response) => response.setHeader('content-type', 'application/json').end(keys))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const stop = (): void => {
    server.closeAllConnections()
    server.close()
  }
  return { JWKS_URL: `http://127.0.0.1:${port}/keys`, privateKey, stop }
}

test('names the user of a valid token', async () => {
  const verify = platformJwtVerifier({ JWT_SECRET })
  expect(await verify(await sign(key))).toEqual({ userId: user, role: 'authenticated' })
})

test('takes the tokens that are made for a laptop, by their own secret alone', async () => {
  const token = await signPlatformJwt({ JWT_SECRET, JWT_ISSUER, JWT_AUDIENCE }, user)
  for (const settings of [{ JWT_SECRET }, { JWT_SECRET, JWT_ISSUER, JWT_AUDIENCE }])
    expect(await platformJwtVerifier(settings)(token)).toEqual({ userId: user, role: 'authenticated' })
  expect(await platformJwtVerifier({ JWT_SECRET: 'x'.repeat(32) })(token)).toBeNull()
})

test('refuses a token of another secret, one that is over, one without signature, and noise', async () => {
  const verify = platformJwtVerifier({ JWT_SECRET })
  const unsigned = `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify({ sub: user }))}.`
  const others = [await sign(new TextEncoder().encode('x'.repeat(32))), await sign(key, '-1h'), unsigned, 'noise', '']
  for (const token of others) expect(await verify(token)).toBeNull()
})

test('refuses a token that would be valid for ever, also by public keys', async () => {
  const signed = new SignJWT({ role: 'authenticated' }).setProtectedHeader({ alg: 'HS256' }).setSubject(user)
  expect(await platformJwtVerifier({ JWT_SECRET })(await signed.sign(key))).toBeNull()
  const { JWKS_URL, privateKey, stop } = await serveKeys()
  try {
    const verify = platformJwtVerifier({ JWKS_URL })
    const token = new SignJWT({}).setProtectedHeader({ alg: 'ES256' }).setSubject(user)
    expect(await verify(await token.sign(privateKey))).toBeNull()
    expect(await verify(await token.setExpirationTime('1h').sign(privateKey))).toEqual({ userId: user })
    expect(await platformJwtVerifier({ JWKS_URL, JWT_ISSUER })(await token.sign(privateKey))).toBeNull()
  } finally {
    stop()
  }
})

const KEY_OF_SERVICE = { role: 'service_role', iss: 'supabase', ref: 'ref' }
test.each<[string, object, { JWT_ISSUER?: string; JWT_AUDIENCE?: string }, boolean]>([
  [
    'the issuer and audience that are wanted',
    { iss: JWT_ISSUER, aud: JWT_AUDIENCE },
    { JWT_ISSUER, JWT_AUDIENCE },
    true,
  ],
  ['the audience among others', { aud: ['other', JWT_AUDIENCE] }, { JWT_AUDIENCE }, true],
  ['any, where none is wanted', { iss: 'https://elsewhere.example', aud: 'other' }, {}, true],
  ['another issuer', { iss: 'https://elsewhere.example', aud: JWT_AUDIENCE }, { JWT_ISSUER, JWT_AUDIENCE }, false],
  ['no issuer', { aud: JWT_AUDIENCE }, { JWT_ISSUER }, false],
  ['another audience', { iss: JWT_ISSUER, aud: ['other'] }, { JWT_ISSUER, JWT_AUDIENCE }, false],
  ['no audience', { iss: JWT_ISSUER }, { JWT_AUDIENCE }, false],
  ['a service_role key of Supabase', KEY_OF_SERVICE, { JWT_ISSUER, JWT_AUDIENCE }, true],
  ['a service_role token for another audience', { ...KEY_OF_SERVICE, aud: 'other' }, { JWT_AUDIENCE }, false],
  ['a service_role token of another issuer', { role: 'service_role', iss: 'elsewhere' }, { JWT_ISSUER }, false],
  ['a user who says "supabase"', { iss: 'supabase', role: 'authenticated' }, { JWT_ISSUER }, false],
])('looks at iss and aud: %s', async (_what, claims, settings, good) => {
  const token = await new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(key)
  expect((await platformJwtVerifier({ JWT_SECRET, ...settings })(token)) !== null).toBe(good)
})

test('without a secret or keys no token is valid', async () => {
  expect(await platformJwtVerifier({})(await sign(key))).toBeNull()
})

test('keys that cannot be fetched are no verdict: the caller is told to ask again', async () => {
  const verify = platformJwtVerifier({ JWKS_URL: 'http://127.0.0.1:1/keys' })
  const { privateKey } = await generateKeyPair('ES256')
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256' })
    .setSubject(user)
    .setExpirationTime('1h')
    .sign(privateKey)
  await expect(verify(token)).rejects.toMatchObject({ code: 'identity_unavailable' })
  expect(await verify('noise')).toBeNull()
})
