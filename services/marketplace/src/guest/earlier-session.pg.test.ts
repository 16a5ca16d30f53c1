import { randomUUID } from 'node:crypto'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { bearer, cookieOf, guestAsker, signedIn } from '../../../../test/support/guest-http.ts'
import { bookAsGuest, makeUser } from '../../../../test/support/guests.ts'
import { createMarketplaceDatabase, marketplaceApp } from '../../../../test/support/marketplace.ts'
import type { TestDatabase } from '../../../../test/support/postgres.ts'

let database: TestDatabase
let app: FastifyInstance
let email: string

beforeAll(async () => {
  database = await createMarketplaceDatabase()
  app = await marketplaceApp(database)
})
afterAll(async () => {
  await app.close()
  await database.drop()
})
beforeEach(() => {
  email = `${randomUUID()}@example.com`
})

const ask = guestAsker(() => app)
type Made = Awaited<ReturnType<typeof ask>>

const become = (headers: Record<string, string> = {}, payload: object = {}, options: InjectOptions = {}) =>
  ask('POST', 'session', { payload: { email, full_name: 'Ana', ...payload }, headers, ...options })
const book = ({ body }: Made) => bookAsGuest(database.pool, { id: body.id, token: body.session_token })
const bookingsOf = async ({ body }: Made): Promise<string[]> =>
  (await ask('GET', 'bookings', bearer(body.session_token))).body.bookings?.map(({ id }: { id: string }) => id)
const convert = async ({ body }: Made) => {
  const user = await makeUser(database.pool)
  const answer = await ask('POST', 'convert', { ...signedIn(user), payload: { session_token: body.session_token } })
  return { ...answer, user }
}
const cookie = (made: Made) => cookieOf(made).headers
const token = ({ body }: Made) => ({ 'x-guest-session-token': body.session_token as string })
const trackedBy = async ({ body }: Made) =>
  (
    await database.pool.query(
      `select metadata ->> 'analytics_session_id' as tracked from guest_sessions where id = $1`,
      [body.id],
    )
  ).rows[0].tracked

describe('on a shared browser, who types an earlier guest’s email', () => {
  it('sees none of their bookings and converts none; the earlier token is dead', async () => {
    const first = await become()
    await book(first)
    const second = await become(cookie(first))
    expect(await bookingsOf(second)).toEqual([])
    expect(await bookingsOf(first)).toBeUndefined()
    expect(await convert(second)).toMatchObject({ status: 200, body: { bookings: 0 } })
    const { rows } = await database.pool.query('select customer_id from bookings where guest_session_id = $1', [
      first.body.id,
    ])
    expect(rows).toEqual([{ customer_id: null }])
  })
})

describe('a guest who shows the token of the session before', () => {
  it.each([
    ['as x-guest-session-token', (made: Made) => ({ ...cookie(made), ...token(made) })],
    ['as bearer', (made: Made) => ({ ...cookie(made), ...bearer(made.body.session_token).headers })],
    ['where the browser keeps no cookies', token],
  ])('has its bookings in the new one, %s', async (_, headers) => {
    const first = await become()
    const booking = await book(first)
    const second = await become(headers(first))
    expect(await bookingsOf(second)).toEqual([booking])
    expect(await bookingsOf(first)).toBeUndefined()
    // What is under way for the earlier one, as a checkout in another tab, comes along too.
    const late = await book(first)
    expect((await bookingsOf(second)).sort()).toEqual([booking, late].sort())
    expect((await convert(second)).body).toEqual({ bookings: 2 })
    expect((await convert(first)).status).toBe(401)
  })

  it('has them not for another email, nor by a token that is over', async () => {
    const first = await become()
    const booking = await book(first)
    const other = await become({ ...cookie(first), ...token(first) }, { email: `other-${email}` })
    expect(await bookingsOf(other)).toEqual([])
    expect(await bookingsOf(first)).toEqual([booking])
    await database.pool.query('update guest_sessions set expires_at = now() where id = $1', [first.body.id])
    expect(await bookingsOf(await become({ ...cookie(first), ...token(first) }))).toEqual([])
  })

  it('has them once, however many ask at once', async () => {
    const first = await become()
    const booking = await book(first)
    const made = await Promise.all(Array.from({ length: 5 }, () => become(token(first))))
    const seen = await Promise.all(made.map(bookingsOf))
    expect(seen.flat()).toEqual([booking])
  })

  it('books in another tab meanwhile: the new session waits for it and has it', async () => {
    const first = await become()
    const client = await database.pool.connect()
    try {
      await client.query('begin')
      await client.query('insert into bookings (guest_session_id) values ($1)', [first.body.id])
      const replaced = become(token(first))
      await vi.waitFor(async () => {
        const { rowCount } = await database.pool.query(
          `select from pg_stat_activity where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`,
        )
        expect(rowCount).toBe(1)
      })
      await client.query('commit')
      expect(await bookingsOf(await replaced)).toHaveLength(1)
    } finally {
      client.release()
    }
  })
})

describe('the tracker’s session', () => {
  it('is the guest’s who named it first, and no user’s; the answer is the same', async () => {
    const [tab, ofUser] = [randomUUID(), randomUUID()]
    const user = await makeUser(database.pool)
    await database.pool.query(
      `insert into platform_events (event_type, session_id, user_id) values ('SearchStarted', $1, $2)`,
      [ofUser, user],
    )
    const first = await become({}, { analytics_session_id: tab })
    expect(await trackedBy(first)).toBe(tab)
    for (const taken of [tab, ofUser, first.body.id]) {
      const second = await become({}, { analytics_session_id: taken })
      expect({ status: second.status, fields: Object.keys(second.body) }).toEqual({
        status: 201,
        fields: Object.keys(first.body),
      })
      expect(await trackedBy(second), taken).toBeNull()
    }
  })

  it('is one guest’s of ten who name it at once', async () => {
    const tab = randomUUID()
    const made = await Promise.all(Array.from({ length: 10 }, () => become({}, { analytics_session_id: tab })))
    const tracked = await Promise.all(made.map(trackedBy))
    expect(tracked.filter((of) => of === tab)).toHaveLength(1)
  })

  it('goes with the bookings, where the token shows that it is the same guest', async () => {
    const tab = randomUUID()
    const first = await become({}, { analytics_session_id: tab })
    const again = await become(token(first), { analytics_session_id: tab })
    expect(await trackedBy(again)).toBe(tab)
    const third = await become(token(again))
    expect(await trackedBy(third)).toBe(tab)
    const { user } = await convert(third)
    const { rows } = await database.pool.query(
      `select event_type, session_id from platform_events where user_id = $1 order by 1`,
      [user],
    )
    expect(rows).toEqual([{ event_type: 'GuestConverted', session_id: tab }])
  })
})
