import { randomUUID } from 'node:crypto'
import { createPool } from '@platform-events/postgres'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bearer, cookieOf, guestAsker, signedIn } from '../../../../test/support/guest-http.ts'
import { makeUser } from '../../../../test/support/guests.ts'
import { createMarketplaceDatabase, marketplaceApp } from '../../../../test/support/marketplace.ts'
import type { TestDatabase } from '../../../../test/support/postgres.ts'
import { END_EARLIER } from './sessions.ts'

let database: TestDatabase
let app: FastifyInstance

beforeAll(async () => {
  database = await createMarketplaceDatabase()
  app = await marketplaceApp(database)
})
afterAll(async () => {
  await app.close()
  await database.drop()
})

const ask = guestAsker(() => app)
const ana = { email: 'ana@example.com', full_name: 'Ana Gómez' }
const become = (payload: object = ana, options: InjectOptions = {}) => ask('POST', 'session', { payload, ...options })

async function book(session: string): Promise<string> {
  const { rows } = await database.pool.query(
    `insert into bookings (guest_session_id, service) values ($1, 'cleaning') returning id`,
    [session],
  )
  return rows[0].id
}

const live = async (token: string) => (await ask('GET', 'session', bearer(token))).status === 200

describe('POST /api/guest/session', () => {
  it('makes a session of 24 hours with a token of 256 bits, and the device', async () => {
    const made = await become({ email: ' Ana@Example.COM ', full_name: ' Ana Gómez ', phone: '' })
    expect(made).toMatchObject({
      status: 201,
      body: { email: 'ana@example.com', full_name: 'Ana Gómez', phone: null },
    })
    expect(Object.keys(made.body).sort()).toEqual(['email', 'expires_at', 'full_name', 'id', 'phone', 'session_token'])
    expect(made.body.session_token).toMatch(/^[\w-]{43}$/)
    const hours = (Date.parse(made.body.expires_at) - Date.now()) / 3_600_000
    expect(hours).toBeGreaterThan(23.9)
    expect(hours).toBeLessThanOrEqual(24)
    expect(made.headers['cache-control']).toBe('no-store')
    expect(made.headers['set-cookie']).toMatch(
      /^guest_device=[\w-]{43}; Path=\/api\/guest; Max-Age=86400; HttpOnly; SameSite=Lax$/,
    )
    const { rows } = await database.pool.query('select metadata from guest_sessions where id = $1', [made.body.id])
    expect(rows).toEqual([{ metadata: { device: expect.stringMatching(/^[0-9a-f]{64}$/) } }])
    expect(made.headers['set-cookie']).not.toContain(rows[0].metadata.device)
  })

  it.each([
    ['no body', undefined],
    ['a list', []],
    ['no email', { full_name: 'A' }],
    ['no address', { email: 'ana', full_name: 'A' }],
    ['two addresses', { email: 'a@b.co, c@d.co', full_name: 'A' }],
    ['a line end in the address', { email: 'a@b.co\nbcc: c@d.co', full_name: 'A' }],
    ['a line end in quotes', { email: '"a\nb"@c.co', full_name: 'A' }],
    ['a NUL in the address', { email: 'a\u0000na@b.co', full_name: 'A' }],
    ['half a character in the address', { email: 'a\ud800@b.co', full_name: 'A' }],
    ['an address with nothing before', { email: '@b.co', full_name: 'A' }],
    ['an address with nothing behind', { email: 'a@', full_name: 'A' }],
    ['a list of addresses', { email: 'a@b.co,c@d.co', full_name: 'A' }],
    ['an address with blanks', { email: 'quoted x@b.co', full_name: 'A' }],
    ['an endless address', { email: `${'a'.repeat(316)}@b.co`, full_name: 'A' }],
    ['an empty name', { email: 'a@b.co', full_name: '  ' }],
    ['a long name', { email: 'a@b.co', full_name: 'x'.repeat(201) }],
    ['a long phone', { email: 'a@b.co', full_name: 'A', phone: '1'.repeat(41) }],
    ['an unknown field', { email: 'a@b.co', full_name: 'A', metadata: {} }],
    ['a long analytics session', { email: 'a@b.co', full_name: 'A', analytics_session_id: 'x'.repeat(129) }],
  ])('refuses %s', async (_, payload) => {
    const answer = await ask('POST', 'session', payload === undefined ? {} : { payload })
    expect(answer).toMatchObject({ status: 400 })
    expect(answer.body.code).toMatch(/^invalid_(query|json)$/)
  })

  it.each(['ünï@exämple.com', '日本@例え.jp', '"quoted x"@example.com', `${'a'.repeat(315)}@b.co`])(
    'takes the address %s',
    async (email) => {
      expect(await become({ ...ana, email })).toMatchObject({ status: 201, body: { email } })
    },
  )

  it('takes what a text may not have out of the name', async () => {
    expect(await become({ ...ana, full_name: 'An\u0000a' })).toMatchObject({ status: 201, body: { full_name: 'Ana' } })
  })

  it('refuses more than 8 KB', async () => {
    const answer = await become({ ...ana, full_name: 'x'.repeat(9000) })
    expect(answer).toMatchObject({ status: 413, body: { code: 'payload_too_large' } })
  })

  it('ends the earlier session of this browser and this email, and no other', async () => {
    const email = 'browser@example.com'
    const first = await become({ ...ana, email })
    const cookie = cookieOf(first)
    const elsewhere = await become({ ...ana, email })
    const otherEmail = await become({ ...ana, email: 'other@example.com' }, cookie)
    const second = await become({ ...ana, email: 'Browser@example.com' }, cookie)
    expect(cookieOf(second)).toEqual(cookie)
    const sessions = [first, elsewhere, otherEmail, second].map(({ body }) => body.session_token)
    expect(await Promise.all(sessions.map(live))).toEqual([false, true, true, true])
  })

  it('leaves one live, also of ten made at once', async () => {
    const { headers } = await become({ ...ana, email: 'tab@example.com' })
    const cookie = cookieOf({ headers })
    const made = await Promise.all(
      Array.from({ length: 10 }, () => become({ ...ana, email: 'tab@example.com' }, cookie)),
    )
    const alive = await Promise.all(made.map(({ body }) => live(body.session_token)))
    expect(alive.filter(Boolean)).toHaveLength(1)
  })

  it('answers and works the same whether an email is known or not', async () => {
    const known = 'known@example.com'
    for (let n = 0; n < 300; n += 1)
      await database.pool.query(
        `insert into guest_sessions (session_token, email, full_name, metadata) values ($1, $2, 'K', jsonb_build_object('device', $1::text))`,
        [randomUUID(), known],
      )
    await database.pool.query('analyze guest_sessions')
    const shape = async (email: string) => {
      const { status, body, headers } = await become({ ...ana, email })
      return { status, fields: Object.keys(body), headers: Object.keys(headers) }
    }
    expect(await shape(known)).toEqual(await shape('unknown@example.com'))
    // Time, without a clock: the rows that the one statement on others' rows looks at.
    const looked = async (email: string) => {
      const client = await database.pool.connect()
      try {
        await client.query('begin; set local enable_seqscan = off')
        const { rows } = await client.query({
          text: `explain (analyze, timing off, summary off, costs off, format json) ${END_EARLIER}`,
          values: [email, 'a device of nobody'],
        })
        return JSON.stringify(rows[0]['QUERY PLAN']).replaceAll(email, '…')
      } finally {
        await client.query('rollback')
        client.release()
      }
    }
    expect(await looked(known)).toEqual(await looked('unknown@example.com'))
    expect(await looked(known)).toContain('guest_sessions_email_idx')
  })

  it('is bounded for one address, and for one email of it, which says nothing of other addresses', async () => {
    const from = (remoteAddress: string, email: string) => become({ ...ana, email }, { remoteAddress })
    for (let n = 0; n < 10; n += 1) expect((await from('10.9.0.1', 'Often@example.com')).status).toBe(201)
    const refused = await from('10.9.0.1', ' often@example.com')
    expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } })
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(3000)
    expect((await from('10.9.0.2', 'often@example.com')).status).toBe(201)
    for (let n = 0; n < 19; n += 1) expect((await from('10.9.0.1', `n${n}@example.com`)).status).toBe(201)
    const flooded = await from('10.9.0.1', 'last@example.com')
    expect(flooded).toMatchObject({ status: 429, body: { code: 'rate_limited' } })
    expect(Number(flooded.headers['retry-after'])).toBeLessThanOrEqual(60)
  })

  it('counts what is not valid apart, whatever is wrong with it', async () => {
    const wrong = (n: number) =>
      n % 2 === 0
        ? become({ ...ana, email: 'nobody' }, { remoteAddress: '10.9.1.1' })
        : ask('POST', 'session', { remoteAddress: '10.9.1.1', payload: 'no JSON' })
    for (let n = 0; n < 120; n += 1) expect((await wrong(n)).status).toBe(400)
    for (const n of [0, 1]) expect(await wrong(n)).toMatchObject({ status: 429, body: { code: 'rate_limited' } })
    expect((await become(ana, { remoteAddress: '10.9.1.1' })).status).toBe(201)
  })
})

describe('the cookie of the device', () => {
  it.each([
    ['another site may call, over https', ['https://shop.example.com'], 'https', 'None; Secure'],
    ['… as several proxies say', ['https://shop.example.com'], 'https,http', 'None; Secure'],
    ['another site may call, without', ['http://shop.example.com'], undefined, 'Lax'],
    ['this one alone may, over https', [], 'https', 'Lax; Secure'],
  ])('where %s', async (_, origins, proto, expected) => {
    const other = await marketplaceApp(database, { origins })
    const headers = proto === undefined ? {} : { 'x-forwarded-proto': proto }
    const answer = await other.inject({ method: 'POST', url: '/api/guest/session', payload: ana, headers })
    await other.close()
    expect(String(answer.headers['set-cookie']).split('SameSite=')[1]).toBe(expected)
  })
})

describe('with the token', () => {
  it('shows the session and its bookings, by either header', async () => {
    const { body } = await become()
    const booking = await book(body.id)
    await book((await become()).body.id)
    const { session_token: token, ...session } = body
    for (const headers of [{ authorization: `Bearer ${token}` }, { 'x-guest-session-token': token }]) {
      expect(await ask('GET', 'session', { headers })).toMatchObject({ status: 200, body: session })
      const { body: answer } = await ask('GET', 'bookings', { headers })
      expect(answer.bookings).toMatchObject([{ id: booking, service: 'cleaning', customer_id: null }])
    }
  })

  it('finds it beside an Authorization of another kind, as supabase-js sends one with every request', async () => {
    const { body } = await become()
    const both = { ...bearer('the.anon.key').headers, 'x-guest-session-token': body.session_token }
    expect(await ask('GET', 'session', { headers: both })).toMatchObject({ status: 200, body: { id: body.id } })
    const empty = { ...bearer(body.session_token).headers, 'x-guest-session-token': '' }
    expect(await ask('GET', 'session', { headers: empty })).toMatchObject({ status: 200, body: { id: body.id } })
  })

  it.each(['session', 'bookings'])(
    'GET %s says the same for no token, an unknown, an expired and a converted one',
    async (path) => {
      const expired = (await become()).body
      await database.pool.query('update guest_sessions set expires_at = now() where id = $1', [expired.id])
      const converted = (await become()).body
      await ask('POST', 'convert', {
        headers: signedIn(await makeUser(database.pool)).headers,
        payload: { session_token: converted.session_token },
      })
      const answers = [
        await ask('GET', path),
        await ask('GET', path, bearer('x'.repeat(43))),
        await ask('GET', path, bearer(expired.session_token)),
        await ask('GET', path, bearer(converted.session_token)),
        await ask('GET', path, bearer(expired.id)),
        await ask('GET', path, { headers: signedIn(await makeUser(database.pool)).headers }),
      ]
      expect(answers[0]).toMatchObject({ status: 401, body: { code: 'guest_session_required' } })
      for (const answer of answers) expect(answer.body).toEqual(answers[0]!.body)
    },
  )
})

it('is in the OpenAPI document', async () => {
  const { paths, components } = (await app.inject('/api/openapi.json')).json()
  expect(Object.keys(paths)).toEqual(
    expect.arrayContaining(['/api/guest/session', '/api/guest/bookings', '/api/guest/convert']),
  )
  expect(components.schemas.NewGuestSession.required).toEqual(['email', 'full_name'])
})

it('says so when Postgres is away', async () => {
  const pool = createPool({ connectionString: 'postgres://nobody@127.0.0.1:1/x', applicationName: 'test' })
  const away = await marketplaceApp({ pool })
  for (const request of [
    { method: 'POST', url: '/api/guest/session', payload: ana },
    { method: 'GET', url: '/api/guest/session', ...bearer('x'.repeat(43)) },
    { method: 'GET', url: '/api/guest/bookings', ...bearer('x'.repeat(43)) },
  ] satisfies InjectOptions[]) {
    const answer = await away.inject(request)
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toMatchObject({ code: 'database_unavailable' })
  }
  await away.close()
  await pool.end()
})
