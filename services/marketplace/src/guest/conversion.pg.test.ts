import type { FastifyInstance, InjectOptions } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bearer, guestAsker, signedIn } from '../../../../test/support/guest-http.ts'
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

  it('says that a customer is missing where bookings refer to those, and not that the user is', async () => {
    const guest = (await become()).body
    await book(guest.id)
    const user = await makeUser(database.pool)
    await database.pool.query(`alter table bookings drop constraint bookings_customer_id_fkey,
      add constraint bookings_customer_id_fkey foreign key (customer_id) references customers (id) not valid`)
    try {
      expect(await convert(user, guest.session_token)).toMatchObject({
        status: 422,
        body: { code: 'customer_required' },
      })
      await database.pool.query('insert into customers (id) values ($1)', [user])
      expect(await convert(user, guest.session_token)).toMatchObject({ status: 200, body: { bookings: 1 } })
    } finally {
      await database.pool.query(`alter table bookings drop constraint bookings_customer_id_fkey,
        add constraint bookings_customer_id_fkey foreign key (customer_id) references auth.users (id) not valid`)
    }
  })

  it('is no matter of signing in where another table of the platform’s refuses', async () => {
    const guest = (await become()).body
    await book(guest.id)
    await database.pool.query(`create table visits (booking_id uuid references bookings (id));
      create function visit() returns trigger language plpgsql as
        $f$ begin insert into public.visits values (gen_random_uuid()); return null; end $f$;
      create trigger visit after update on bookings for each row execute function visit()`)
    try {
      expect(await convert(await makeUser(database.pool), guest.session_token)).toMatchObject({
        status: 500,
        body: { code: 'internal' },
      })
    } finally {
      await database.pool.query('drop function visit() cascade; drop table visits')
    }
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
