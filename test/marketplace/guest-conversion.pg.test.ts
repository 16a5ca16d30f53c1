import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { asCaller, type Caller, sqlstate } from '../support/callers.ts'
import { bookAsGuest, carrying, type MadeGuest, makeGuest, makeNobody, makeUser } from '../support/guests.ts'
import { createMarketplaceDatabase } from '../support/marketplace.ts'
import type { TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
let guest: MadeGuest
let user: string
let other: string

beforeAll(async () => {
  database = await createMarketplaceDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  guest = await makeGuest(database.pool)
  user = await makeUser(database.pool)
  other = await makeUser(database.pool)
})
afterEach(() => database.pool.query('delete from platform_events'))

const convert = (caller: Caller, session: string | null, to: string | null) =>
  asCaller(database.pool, caller, (ask) => ask('select public.convert_guest_to_user($1, $2)', [session, to]))
const SERVICE: Caller = { role: 'service_role' }

async function ownerOf(booking: string) {
  const { rows } = await database.pool.query('select customer_id, guest_session_id from bookings where id = $1', [
    booking,
  ])
  return rows[0]
}
async function metadataOf({ id }: MadeGuest) {
  return (await database.pool.query('select metadata from guest_sessions where id = $1', [id])).rows[0].metadata
}
async function conversions(): Promise<number> {
  const { rows } = await database.pool.query(
    `select count(*)::int as n from platform_events where event_type = 'GuestConverted'`,
  )
  return rows[0].n
}

it.each(['by the user with the token', 'by the service'])(
  'moves the bookings and marks the session, %s',
  async (who) => {
    const booking = await bookAsGuest(database.pool, guest)
    const foreign = await bookAsGuest(database.pool, await makeGuest(database.pool))
    const caller = who === 'by the service' ? SERVICE : carrying(guest.token, user)
    await convert(caller, guest.id, user)
    expect(await ownerOf(booking)).toEqual({ customer_id: user, guest_session_id: null })
    expect((await ownerOf(foreign)).customer_id).toBeNull()
    const metadata = await metadataOf(guest)
    expect(metadata).toEqual({ converted_to_user_id: user, converted_at: expect.any(String), converted_bookings: 1 })
    expect(Math.abs(Date.parse(metadata.converted_at) - Date.now())).toBeLessThan(60_000)

    await convert(caller, guest.id, user)
    expect(await metadataOf(guest)).toEqual(metadata)
    expect(await conversions()).toBe(1)
    expect(
      (await asCaller(database.pool, carrying(guest.token), (ask) => ask('select from guest_sessions'))).rowCount,
    ).toBe(0)
  },
)

describe('is refused, and nothing moves', () => {
  it.each([
    ['a stolen id, without a token', 'PE401', () => convert({ role: 'authenticated', userId: other }, guest.id, other)],
    [
      'a stolen id, with a token of one’s own',
      'PE401',
      async () => convert(carrying((await makeGuest(database.pool)).token, other), guest.id, other),
    ],
    ['the id as the token', 'PE401', () => convert(carrying(guest.id, other), guest.id, other)],
    ['an id that is none', 'PE401', () => convert(carrying(guest.token, other), randomUUID(), other)],
    ['a null id', 'PE401', () => convert(SERVICE, null, other)],
    ['another user’s account', '42501', () => convert(carrying(guest.token, other), guest.id, user)],
    ['no account', '42501', () => convert(carrying(guest.token, other), guest.id, null)],
    ['anon', '42501', () => convert(carrying(guest.token), guest.id, user)],
    ['a user that is none, by the service', '23503', () => convert(SERVICE, guest.id, randomUUID())],
    [
      'a user who is gone but has a token still',
      '23503',
      async () => {
        await database.pool.query('update auth.users set deleted_at = now() where id = $1', [other])
        await convert(carrying(guest.token, other), guest.id, other)
      },
    ],
    [
      'the body, called by name',
      '42501',
      () =>
        asCaller(database.pool, carrying(guest.token, other), (ask) =>
          ask(`select marketplace_internal.convert_guest_to_user('service_role', $1, $2)`, [guest.id, other]),
        ),
    ],
  ])('%s', async (_, state, attempt) => {
    const booking = await bookAsGuest(database.pool, guest)
    expect(await sqlstate(attempt())).toBe(state)
    expect(await ownerOf(booking)).toEqual({ customer_id: null, guest_session_id: guest.id })
    expect(await metadataOf(guest)).toEqual({})
    expect(await conversions()).toBe(0)
  })

  it('of an expired session by a user; the service may, and then the user may repeat it', async () => {
    const booking = await bookAsGuest(database.pool, guest)
    await database.pool.query('update guest_sessions set expires_at = now() where id = $1', [guest.id])
    expect(await sqlstate(convert(carrying(guest.token, user), guest.id, user))).toBe('PE401')
    expect((await ownerOf(booking)).customer_id).toBeNull()
    await convert(SERVICE, guest.id, user)
    expect((await ownerOf(booking)).customer_id).toBe(user)
    await convert(carrying(guest.token, user), guest.id, user)
  })

  it('of one that another account has, and the error says not which', async () => {
    await convert(carrying(guest.token, user), guest.id, user)
    for (const caller of [carrying(guest.token, other), SERVICE]) {
      const failed = convert(caller, guest.id, other)
      expect(await sqlstate(failed)).toBe('PE409')
      expect(
        JSON.stringify(await failed.catch((error: Error) => ({ ...error, message: error.message }))),
      ).not.toContain(user)
    }
    expect(await sqlstate(convert({ role: 'authenticated', userId: other }, guest.id, other))).toBe('PE401')
  })

  it('of a role of the platform’s own that is a user, without the token, or for another user', async () => {
    const as = async (role: string, to: string) => {
      const client = await database.pool.connect()
      try {
        await client.query(
          `begin; create role marketplace_editor in role authenticated; create role marketplace_backend in role service_role`,
        )
        await client.query(`select set_config('request.jwt.claims', $1, true)`, [JSON.stringify({ sub: other })])
        await client.query(`set local role ${role}`)
        return await sqlstate(client.query('select public.convert_guest_to_user($1, $2)', [guest.id, to]))
      } finally {
        await client.query('rollback')
        client.release()
      }
    }
    expect([await as('marketplace_editor', other), await as('marketplace_editor', user)]).toEqual(['PE401', '42501'])
    expect(await as('marketplace_backend', user)).toBe('')
  })

  it('of the session of nobody', async () => {
    const nobody = await makeNobody(database.pool)
    expect(await sqlstate(convert(SERVICE, nobody, user))).toBe('PE401')
  })
})

it('takes no booking that has a customer, whatever guest session somebody wrote beside it', async () => {
  await database.pool.query('insert into bookings (customer_id, guest_session_id) values ($1, $2)', [other, guest.id])
  await convert(carrying(guest.token, user), guest.id, user)
  const { rows } = await database.pool.query('select customer_id from bookings where guest_session_id = $1', [guest.id])
  expect(rows).toEqual([{ customer_id: other }])
})

it('a booking that comes after it is the account’s at once', async () => {
  await convert(carrying(guest.token, user), guest.id, user)
  expect(await ownerOf(await bookAsGuest(database.pool, guest))).toEqual({ customer_id: user, guest_session_id: null })
  await database.pool.query('delete from bookings where customer_id = $1', [user])
  await database.pool.query('delete from auth.users where id = $1', [user])
  expect(await ownerOf(await bookAsGuest(database.pool, guest))).toEqual({
    customer_id: null,
    guest_session_id: guest.id,
  })
})

it('a second time takes what was linked since', async () => {
  await convert(carrying(guest.token, user), guest.id, user)
  const booking = await bookAsGuest(database.pool, guest)
  await database.pool.query('update bookings set customer_id = null, guest_session_id = $2 where id = $1', [
    booking,
    guest.id,
  ])
  await convert(carrying(guest.token, user), guest.id, user)
  expect((await ownerOf(booking)).customer_id).toBe(user)
  expect(await metadataOf(guest)).toMatchObject({ converted_bookings: 1 })
  expect(await conversions()).toBe(1)
})

describe('two at once', () => {
  /** For a lock that another session of this database holds. */
  const untilOneWaits = () =>
    vi.waitFor(async () => {
      const { rowCount } = await database.pool.query(
        `select from pg_stat_activity where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`,
      )
      expect(rowCount).toBe(1)
    })

  /** Holds the first conversion open until the second waits for it. */
  async function together(second: Caller, to: string): Promise<string> {
    const client = await database.pool.connect()
    try {
      await client.query('begin')
      await client.query(`select marketplace_internal.convert_guest_to_user('service_role', $1, $2)`, [guest.id, user])
      const ended = sqlstate(convert(second, guest.id, to))
      await untilOneWaits()
      await client.query('commit')
      return await ended
    } finally {
      client.release()
    }
  }

  it('of one account are one', async () => {
    const booking = await bookAsGuest(database.pool, guest)
    expect(await together(carrying(guest.token, user), user)).toBe('')
    expect((await ownerOf(booking)).customer_id).toBe(user)
    expect(await conversions()).toBe(1)
  })

  it('of two accounts: the first has it', async () => {
    const booking = await bookAsGuest(database.pool, guest)
    expect(await together(carrying(guest.token, other), other)).toBe('PE409')
    expect((await ownerOf(booking)).customer_id).toBe(user)
    expect(await conversions()).toBe(1)
  })

  it('a checkout under way waits for it, and is the account’s', async () => {
    const client = await database.pool.connect()
    try {
      await client.query('begin')
      await client.query(`select marketplace_internal.convert_guest_to_user('service_role', $1, $2)`, [guest.id, user])
      const booked = asCaller(database.pool, carrying(guest.token), (ask) =>
        ask<{ id: string }>('insert into bookings (guest_session_id) values ($1) returning id', [guest.id]),
      )
      await untilOneWaits()
      await client.query('commit')
      expect(await ownerOf((await booked).rows[0]!.id)).toEqual({ customer_id: user, guest_session_id: null })
    } finally {
      client.release()
    }
  })

  it('holds the account: it is not forgotten, nor else deleted, in between', async () => {
    const client = await database.pool.connect()
    try {
      await client.query('begin')
      await client.query(`select marketplace_internal.convert_guest_to_user('service_role', $1, $2)`, [guest.id, user])
      const forgotten = database.pool.query('select marketplace_internal.forget_account($1)', [user])
      await untilOneWaits()
      await client.query('commit')
      await forgotten
      expect((await database.pool.query('select from guest_sessions where id = $1', [guest.id])).rowCount).toBe(0)
    } finally {
      client.release()
    }
  })

  it('a stolen id does not even wait', async () => {
    const client = await database.pool.connect()
    try {
      await client.query('begin')
      await client.query('select from guest_sessions where id = $1 for update', [guest.id])
      expect(await sqlstate(convert({ role: 'authenticated', userId: other }, guest.id, other))).toBe('PE401')
    } finally {
      await client.query('rollback')
      client.release()
    }
  })
})
