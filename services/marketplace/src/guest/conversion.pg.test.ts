import type { FastifyInstance, InjectOptions } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bearer, cookieOf, guestAsker, signedIn } from '../../../../test/support/guest-http.ts'
import { makeUser } from '../../../../test/support/guests.ts'
import { createMarketplaceDatabase, marketplaceApp } from '../../../../test/support/marketplace.ts'
import type { TestDatabase } from '../../../../test/support/postgres.ts'

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

describe('POST /api/guest/convert', () => {
  const convert = async (user: string, token: string) =>
    await ask('POST', 'convert', { ...signedIn(user), payload: { session_token: token } })

  it('gives the bookings to the user, once however often asked; to another never', async () => {
    const guest = (await become()).body
    const bookings = [await book(guest.id), await book(guest.id)]
    const user = await makeUser(database.pool)
    expect(await convert(user, guest.session_token)).toMatchObject({ status: 200, body: { bookings: 2 } })
    expect(await convert(user, guest.session_token)).toMatchObject({ status: 200, body: { bookings: 2 } })
    expect(await convert(await makeUser(database.pool), guest.session_token)).toMatchObject({
      status: 409,
      body: { code: 'already_converted' },
    })
    const { rows } = await database.pool.query(
      'select id from bookings where customer_id = $1 and guest_session_id is null',
      [user],
    )
    expect(rows.map(({ id }) => id).sort()).toEqual(bookings.sort())
    const { rows: events } = await database.pool.query(
      `select session_id, properties from platform_events where event_type = 'GuestConverted' and user_id = $1`,
      [user],
    )
    expect(events).toEqual([{ session_id: guest.id, properties: { guest_session_id: guest.id } }])
  })

  it('brings the bookings of the session before too, as one sign-up', async () => {
    const first = await become({ ...ana, email: 'chain@example.com', analytics_session_id: 'tab-1' })
    await book(first.body.id)
    const second = await become({ ...ana, email: 'chain@example.com', analytics_session_id: 'tab-2' }, cookieOf(first))
    await book(second.body.id)
    const user = await makeUser(database.pool)
    expect((await convert(user, second.body.session_token)).body).toEqual({ bookings: 2 })
    const { rows } = await database.pool.query(
      'select event_type, session_id from platform_events where user_id = $1 and event_type like $2 order by session_id',
      [user, 'Guest%'],
    )
    expect(rows).toEqual([
      { event_type: 'GuestSessionLinked', session_id: 'tab-1' },
      { event_type: 'GuestConverted', session_id: 'tab-2' },
    ])
  })

  it('refuses who is not signed in, no token, an unknown, an expired one, and a session of an account that is gone', async () => {
    const user = await makeUser(database.pool)
    const guest = (await become()).body
    expect(await ask('POST', 'convert', { payload: { session_token: guest.session_token } })).toMatchObject({
      body: { code: 'sign_in_required' },
    })
    expect(
      await ask('POST', 'convert', { ...bearer(guest.session_token), payload: { session_token: guest.session_token } }),
    ).toMatchObject({
      body: { code: 'sign_in_required' },
    })
    expect(await ask('POST', 'convert', { ...signedIn(user), payload: {} })).toMatchObject({
      body: { code: 'invalid_query' },
    })
    const required = { status: 401, body: { code: 'guest_session_required' } }
    expect(await convert(user, 'x'.repeat(43))).toMatchObject(required)
    expect(await convert(user, guest.id)).toMatchObject(required)
    await database.pool.query('delete from auth.users where id = $1', [user])
    expect(await convert(user, guest.session_token)).toMatchObject({ body: { code: 'sign_in_required' } })
    await database.pool.query('update guest_sessions set expires_at = now() where id = $1', [guest.id])
    expect(await convert(await makeUser(database.pool), guest.session_token)).toMatchObject(required)
  })
})
