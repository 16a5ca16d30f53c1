import { generateKeyPair, SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { platformJwtVerifier, signPlatformJwt } from './platform-jwt.ts'

const JWT_SECRET = 'a secret of at least thirty-two characters'
const key = new TextEncoder().encode(JWT_SECRET)
const user = '0b6b3d4e-64a2-4c60-9a53-0d4b2f6f8a11'

function sign(secret: Uint8Array, expires = '1h') {
  return new SignJWT({ role: 'authenticated' })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user)
    .setExpirationTime(expires)
    .sign(secret)
}

test('names the user of a valid token', async () => {
  const verify = platformJwtVerifier({ JWT_SECRET })
  expect(await verify(await sign(key))).toEqual({ userId: user, role: 'authenticated' })
})

test('takes the tokens that are made for a laptop, by their own secret alone', async () => {
  const token = await signPlatformJwt(JWT_SECRET, user)
  expect(await platformJwtVerifier({ JWT_SECRET })(token)).toEqual({ userId: user, role: 'authenticated' })
  expect(await platformJwtVerifier({ JWT_SECRET: 'x'.repeat(32) })(token)).toBeNull()
})

test('refuses a token of another secret, one that is over, one without signature, and noise', async () => {
  const verify = platformJwtVerifier({ JWT_SECRET })
  const unsigned = `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify({ sub: user }))}.`
  const others = [await sign(new TextEncoder().encode('x'.repeat(32))), await sign(key, '-1h'), unsigned, 'noise', '']
  for (const token of others) expect(await verify(token)).toBeNull()
})

test('without a secret or keys no token is valid', async () => {
  expect(await platformJwtVerifier({})(await sign(key))).toBeNull()
})

test('keys that cannot be fetched are no verdict: the caller is told to ask again', async () => {
  const verify = platformJwtVerifier({ JWKS_URL: 'http://127.0.0.1:1/keys' })
  const { privateKey } = await generateKeyPair('ES256')
  const token = await new SignJWT({}).setProtectedHeader({ alg: 'ES256' }).setSubject(user).sign(privateKey)
  await expect(verify(token)).rejects.toMatchObject({ code: 'identity_unavailable' })
  expect(await verify('noise')).toBeNull()
})
