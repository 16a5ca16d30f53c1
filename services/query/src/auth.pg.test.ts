import { createHash, randomBytes } from 'node:crypto'
import { type PlatformIdentity, platformJwtVerifier } from '@platform-events/runtime'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { startTestQuery } from '../../../test/support/query.ts'
import { createAuthenticator } from './auth.ts'
import { SESSION_SECONDS, sessionCookie } from './session-cookie.ts'

const ADMIN = '0b6f0c0e-0000-4000-8000-000000000001'
const CUSTOMER = '0b6f0c0e-0000-4000-8000-000000000002'
/** What a JWT says is the runtime's subject; here the token's own text names its bearer. */
const IDENTITIES: Record<string, PlatformIdentity> = {
  'jwt.of.admin': { userId: ADMIN, role: 'authenticated' },
  'jwt.of.customer': { userId: CUSTOMER, role: 'authenticated' },
  'jwt.of.nobody': { userId: 'not-a-uuid', role: 'authenticated' },
  'jwt.of.service': { userId: undefined, role: 'service_role' },
}

let database: TestDatabase
let app: FastifyInstance
let token: string
let nowMs = Date.now()

beforeAll(async () => {
  database = await createTestDatabase()
  await database.pool.query('insert into auth.users (id) values ($1), ($2)', [ADMIN, CUSTOMER])
  await database.pool.query(
    `insert into public.profiles (id, role) values ($1, 'admin'), ($2, 'customer')
     on conflict (id) do update set role = excluded.role`,
    [ADMIN, CUSTOMER],
  )
  const started = await startTestQuery(database.pool, {
    verifyJwt: async (jwt) => IDENTITIES[jwt] ?? null,
    clock: () => nowMs,
  })
  app = started.app
  token = started.token
})
afterAll(async () => {
  await app.close()
  await database.drop()
})

const ask = (headers: Record<string, string>) => app.inject({ url: '/v1/counts', headers })
const bearer = (text: string) => ({ authorization: `Bearer ${text}` })

describe('bearers', () => {
  it.each([
    ['nothing', {}, 401],
    ['an unknown operator token', bearer('op_unknown'), 401],
    ['a public write key', bearer('pk_something'), 401],
    ['a JWT that is not valid', bearer('jwt.of.stranger'), 401],
    ['Basic', { authorization: 'Basic b3A6b3A=' }, 401],
    ['a forged session', { cookie: `platform_events_session=${'A'.repeat(43)}.9999999999.${'A'.repeat(43)}` }, 401],
    ['a customer', bearer('jwt.of.customer'), 403],
    ['a user id that is no uuid', bearer('jwt.of.nobody'), 403],
    ['an admin', bearer('jwt.of.admin'), 200],
    ['the service role', bearer('jwt.of.service'), 200],
  ])('%s', async (_name, headers, status) => {
    const answer = await ask(headers)
    expect(answer.statusCode).toBe(status)
    if (status === 401) {
      expect(answer.headers['www-authenticate']).toBe('Bearer')
      expect(answer.json()).toMatchObject({ code: 'unauthorized', help: expect.any(String) })
    }
  })

  it('takes an operator token until it is revoked', async () => {
    expect((await ask(bearer(token))).statusCode).toBe(200)
    await revoke(new Date())
    nowMs += 10_001 // what the short cache may still believe
    expect((await ask(bearer(token))).statusCode).toBe(401)
    await revoke(null)
    expect((await ask(bearer(token))).statusCode).toBe(200)
  })

  it('guards the funnel and the tail alike', async () => {
    expect(
      (await app.inject({ method: 'POST', url: '/v1/funnel', payload: { steps: ['a', 'b'], unknown_types: 'allow' } }))
        .statusCode,
    ).toBe(401)
    expect((await app.inject({ url: '/v1/events/tail' })).statusCode).toBe(401)
  })

  it('takes no JWT where neither a secret nor keys are set', async () => {
    const { app: other } = await startTestQuery(database.pool, { verifyJwt: platformJwtVerifier({}) })
    const answer = await other.inject({ url: '/v1/counts', headers: bearer('jwt.of.admin') })
    expect(answer.statusCode).toBe(401)
    await other.close()
  })
})

it('knows who asks, whatever other cookies come along', async () => {
  const sessionKey = randomBytes(32)
  const authenticator = createAuthenticator({
    ...{ pool: database.pool, clock: () => nowMs, sessionKey },
    verifyJwt: async (jwt) => IDENTITIES[jwt] ?? null,
  })
  const whose = (headers: Record<string, string>): Promise<string> =>
    authenticator.authenticate({ method: 'GET', headers } as unknown as FastifyRequest, {} as FastifyReply)
  const hash = createHash('sha256').update(token).digest()
  const cookie = `platform_events_session=${sessionCookie(hash, sessionKey, nowMs)}`
  const same = [bearer(token), { cookie }, { cookie: `other=1; ${cookie}` }]
  expect(new Set(await Promise.all(same.map(whose))).size).toBe(1)
  expect(await whose(bearer('jwt.of.admin'))).toBe(`user ${ADMIN}`)
  expect(await whose(bearer('jwt.of.service'))).toBe('service_role')
})

describe('the session cookie', () => {
  it('opens what the token opens, and is not the token', async () => {
    const cookie = await session()
    expect(cookie.attributes).toEqual(expect.arrayContaining(['HttpOnly', 'SameSite=Strict', 'Path=/']))
    expect(cookie.value).not.toContain(token)
    expect((await ask({ cookie: cookie.value })).statusCode).toBe(200)
  })

  it('is made for operator tokens only', async () => {
    for (const headers of [{}, bearer('op_unknown'), bearer('jwt.of.admin')])
      expect((await app.inject({ method: 'POST', url: '/v1/session', headers })).statusCode).toBe(401)
  })

  it('ends with its time, with its token, and when it is tampered with', async () => {
    const { value } = await session()
    const [name, hash, end, signature] = value.split(/[=.]/)
    const later = `${name}=${hash}.${Number(end) + 1}.${signature}`
    expect((await ask({ cookie: later })).statusCode).toBe(401)
    await revoke(new Date())
    nowMs += 10_001
    expect((await ask({ cookie: value })).statusCode).toBe(401)
    await revoke(null)
    expect((await ask({ cookie: value })).statusCode).toBe(200)
    nowMs += SESSION_SECONDS * 1000
    expect((await ask({ cookie: value })).statusCode).toBe(401)
  })

  it('survives a restart with the same key, and not with another', async () => {
    const sessionKey = createHash('sha256').update('a key').digest()
    const before = await startTestQuery(database.pool, { sessionKey })
    const made = await before.app.inject({ method: 'POST', url: '/v1/session', headers: before.bearer })
    const cookie = String(made.headers['set-cookie']).split(';')[0]!
    await before.app.close()
    const after = await startTestQuery(database.pool, { sessionKey })
    expect((await after.app.inject({ url: '/v1/counts', headers: { cookie } })).statusCode).toBe(200)
    await after.app.close()
    expect((await ask({ cookie })).statusCode).toBe(401)
  })

  it.each([
    ['no word of where it comes from', {}, 403],
    ['another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['another port of this host', { 'sec-fetch-site': 'same-site' }, 403],
    ['another origin, of an old browser', { origin: 'https://evil.example' }, 403],
    ['the page itself', { 'sec-fetch-site': 'same-origin' }, 200],
    ['the page itself, in an old browser', { origin: 'http://localhost:80' }, 200],
  ])('posts with %s', async (_name, headers, status) => {
    const { value } = await session()
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/funnel',
      headers: { cookie: value, host: 'localhost', ...headers },
      payload: { steps: ['a', 'b'], unknown_types: 'allow' },
    })
    expect(answer.statusCode).toBe(status)
    if (status === 403) expect(answer.json().code).toBe('cross_origin')
  })

  it('is taken away by DELETE', async () => {
    const answer = await app.inject({ method: 'DELETE', url: '/v1/session' })
    expect(answer.statusCode).toBe(204)
    expect(answer.headers['set-cookie']).toContain('Max-Age=0')
  })
})

async function session(): Promise<{ value: string; attributes: string[] }> {
  const answer = await app.inject({ method: 'POST', url: '/v1/session', headers: bearer(token) })
  expect(answer.statusCode).toBe(204)
  const [value = '', ...attributes] = String(answer.headers['set-cookie']).split('; ')
  return { value, attributes }
}

async function revoke(at: Date | null): Promise<void> {
  await database.pool.query('update events_internal.operator_tokens set revoked_at = $1 where token_hash = $2', [
    at,
    createHash('sha256').update(token).digest(),
  ])
}
