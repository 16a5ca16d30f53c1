import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { PoolClient } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksOf } from '../docs/examples.ts'
import { asCaller, type Caller, sqlstate } from '../support/callers.ts'
import { bookAsGuest, carrying, type MadeGuest, makeGuest, makeUser } from '../support/guests.ts'
import { createMarketplaceDatabase } from '../support/marketplace.ts'
import type { TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
let guest: MadeGuest
let expired: MadeGuest
let user: string
let other: string
let booking: string
let ofUser: string

beforeAll(async () => {
  database = await createMarketplaceDatabase()
  guest = await makeGuest(database.pool)
  expired = await makeGuest(database.pool)
  user = await makeUser(database.pool)
  other = await makeUser(database.pool)
  booking = await bookAsGuest(database.pool, guest)
  await bookAsGuest(database.pool, expired)
  await database.pool.query('update guest_sessions set expires_at = now() where id = $1', [expired.id])
  const { rows } = await database.pool.query('insert into bookings (customer_id) values ($1) returning id', [user])
  ofUser = rows[0].id
})
afterAll(() => database.drop())

const ask = (caller: Caller, sql: string, values: unknown[] = []) =>
  asCaller(database.pool, caller, (run) => run<{ id: string }>(sql, values))
const seenBy = async (caller: Caller) =>
  (await ask(caller, 'select id from public.bookings order by created_at')).rows.map(({ id }) => id)
/** What a guest may read of a booking: the platform's other columns are its own to show. */
const READ =
  'id, guest_session_id, professional_id, service, city, status, subtotal, total, deposit_type, deposit_captured, created_at'
const BOOK = `insert into public.bookings (guest_session_id, service) values ($1, 'painting')`

it('are seen by whoever carries the token, beside what they see anyway', async () => {
  expect(await seenBy(carrying(guest.token))).toEqual([booking])
  expect(await seenBy(carrying(guest.token, user))).toEqual([booking, ofUser])
})

it('are seen by nobody else', async () => {
  const others: [string, Caller, string[]][] = [
    ['anon', { role: 'anon' }, []],
    ['the owner of another', { role: 'authenticated', userId: user }, [ofUser]],
    ['another user', { role: 'authenticated', userId: randomUUID() }, []],
    ['another guest', carrying((await makeGuest(database.pool)).token), []],
    ['one whose session has expired', carrying(expired.token), []],
    ['who has the id alone', carrying(guest.id), []],
  ]
  for (const [who, caller, expected] of others) expect(await seenBy(caller), who).toEqual(expected)
})

it('are made with the token, and read back in the same statement', async () => {
  const own = await makeGuest(database.pool)
  for (const caller of [carrying(own.token), carrying(own.token, user)]) {
    const { rows } = await ask(caller, `${BOOK}, ($1, 'cleaning') returning ${READ}`, [own.id])
    expect(rows).toMatchObject([
      { guest_session_id: own.id, status: 'pending', total: null, deposit_captured: false },
      { guest_session_id: own.id, status: 'pending', total: null, deposit_captured: false },
    ])
  }
})

it.each([
  ['for another guest', () => ask(carrying(guest.token), BOOK, [expired.id])],
  ['without a token', () => ask({ role: 'anon' }, BOOK, [guest.id])],
  ['for a guest, by a user without the token', () => ask({ role: 'authenticated', userId: user }, BOOK, [guest.id])],
  ['with an expired token', () => ask(carrying(expired.token), BOOK, [expired.id])],
  ['for a session that is not there', () => ask(carrying(guest.token), BOOK, [randomUUID()])],
  ['for nobody', () => ask(carrying(guest.token), BOOK, [null])],
  [
    'by a user for themselves, with the session of another guest',
    () =>
      ask(
        { role: 'authenticated', userId: user },
        'insert into bookings (guest_session_id, customer_id) values ($1, $2)',
        [guest.id, user],
      ),
  ],
  [
    'in the name of a user',
    () =>
      ask(carrying(guest.token), 'insert into bookings (guest_session_id, customer_id) values ($1, $2)', [
        guest.id,
        user,
      ]),
  ],
  [
    'in the name of another user, by a user with the token',
    () =>
      ask(carrying(guest.token, user), 'insert into bookings (guest_session_id, customer_id) values ($1, $2)', [
        guest.id,
        other,
      ]),
  ],
])('are not made %s', async (_, attempt) => {
  expect(await sqlstate(attempt())).toBe('42501')
})

it('have a state, sums and times that are the platform’s: a guest writes none, and reads no other column', async () => {
  for (const column of ['id', 'status', 'total', 'deposit_captured', 'customer_id', 'created_at', 'updated_at']) {
    const insert = `insert into bookings (guest_session_id, ${column}) values ($1, default)`
    expect(await sqlstate(ask(carrying(guest.token), insert, [guest.id])), column).toBe('42501')
  }
  await ask(carrying(guest.token), `select ${READ} from bookings`)
  for (const column of ['customer_id', 'notes', 'cancel_reason', '*'])
    expect(await sqlstate(ask(carrying(guest.token), `select ${column} from bookings`)), column).toBe('42501')
})

it('are tied to another guest’s session by no update of a user’s, who else changes what is theirs', async () => {
  const caller: Caller = { role: 'authenticated', userId: user }
  const change = (set: string, id = ofUser) =>
    asCaller(
      database.pool,
      caller,
      async (run) => (await run(`update bookings set ${set} where id = $1`, [id])).rowCount,
    )
  expect(await sqlstate(change(`guest_session_id = '${guest.id}'`))).toBe('42501')
  expect(await change(`notes = 'x', guest_session_id = null`)).toBe(1)
  // Written so by the service: it may be, and stays theirs to change.
  const { rows } = await database.pool.query<{ id: string }>(
    'insert into bookings (customer_id, guest_session_id) values ($1, $2) returning id',
    [user, guest.id],
  )
  expect(await change(`notes = 'x'`, rows[0]!.id)).toBe(1)
  await database.pool.query('delete from bookings where id = $1', [rows[0]!.id])
})

it('move to another session by the login that owns the table, though it may take on the API’s roles', async () => {
  const next = await makeGuest(database.pool)
  const client = await database.pool.connect()
  try {
    await client.query(`begin; create role platform_owner in role authenticated; grant create on schema public to platform_owner;
      alter table bookings owner to platform_owner; set local role platform_owner`)
    const moved = await client.query('update bookings set guest_session_id = $1 where guest_session_id = $2', [
      next.id,
      guest.id,
    ])
    expect(moved.rowCount).toBeGreaterThan(0)
  } finally {
    await client.query('rollback')
    client.release()
  }
})

it('are made as docs/marketplace.md shows it in SQL', async () => {
  const { token } = await makeGuest(database.pool)
  const example = blocksOf(readFileSync(new URL('../../docs/marketplace.md', import.meta.url), 'utf8')).find(
    ({ language }) => language === 'sql',
  )!
  expect(example.text).toContain('…token…')
  const client = await database.pool.connect()
  try {
    const results = await client.query(example.text.replace('…token…', token).replace('commit;', 'rollback;'))
    const [inserted] = (results as unknown as { command: string; rows: unknown[] }[]).filter(
      ({ command }) => command === 'INSERT',
    )
    expect(inserted?.rows).toEqual([{ id: expect.any(String), status: 'pending' }])
  } finally {
    client.release()
  }
})

it('of an account that is deleted are nobody’s, where the platform’s foreign key says set null', async () => {
  const client = await database.pool.connect()
  try {
    await client.query(`begin; alter table bookings drop constraint bookings_customer_id_fkey,
      add foreign key (customer_id) references auth.users (id) on delete set null`)
    await client.query('delete from auth.users where id = $1', [user])
    const { rows } = await client.query(
      'select customer_id, (select email from guest_sessions where id = guest_session_id) as email from bookings where id = $1',
      [ofUser],
    )
    expect(rows).toEqual([{ customer_id: null, email: 'forgotten@example.invalid' }])
  } finally {
    await client.query('rollback')
    client.release()
  }
  // Whoever takes the customer away by mistake is told.
  const mistake = database.pool.query('update bookings set customer_id = null where id = $1', [ofUser])
  expect(await sqlstate(mistake)).toBe('23514')
})

it('are neither changed nor deleted by guests, not even with the token', async () => {
  for (const caller of [carrying(guest.token), carrying(guest.token, user)]) {
    for (const sql of [`update bookings set service = 'x' where service = 'cleaning'`, 'delete from bookings']) {
      // On the minimal table anon has no such right; where the platform gave one, no policy lets a row through.
      const attempt = asCaller(database.pool, caller, async (run) => (await run(sql)).rowCount)
      expect(await attempt.catch((error: { code: string }) => error.code), sql).toSatisfy(
        (end) => end === 0 || end === '42501',
      )
    }
  }
  expect((await database.pool.query('select service from bookings where id = $1', [booking])).rows).toEqual([
    { service: 'cleaning' },
  ])
})

it('want a customer or a guest, and a guest who is there', async () => {
  expect(await sqlstate(database.pool.query('insert into bookings default values'))).toBe('23514')
  expect(await sqlstate(database.pool.query(BOOK, [randomUUID()]))).toBe('23503')
  expect(await sqlstate(database.pool.query('delete from guest_sessions where id = $1', [guest.id]))).toBe('23503')
})

describe('where the platform has policies of its own', () => {
  /** Undone afterwards. */
  async function meanwhile<T>(ddl: string, caller: Caller, body: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await database.pool.connect()
    try {
      await client.query(`begin; ${ddl}`)
      await client.query(`select set_config('request.headers', $1, true), set_config('request.jwt.claims', $2, true)`, [
        JSON.stringify(caller.headers ?? {}),
        JSON.stringify(caller.userId === undefined ? {} : { sub: caller.userId }),
      ])
      await client.query(`set local role ${caller.role}`)
      return await body(client)
    } finally {
      await client.query('rollback')
      client.release()
    }
  }
  const ids = async (client: PoolClient) => (await client.query('select id from bookings')).rows.map(({ id }) => id)

  it.each([
    ['customer_id is not distinct from auth.uid()', 'a null customer is anon’s own'],
    ['true', 'all may read'],
  ])('using (%s): %s, and no guest’s booking is shown to anon for it', async (using) => {
    const ddl = `create policy theirs on bookings for select to public using (${using})`
    const shown = await meanwhile(ddl, { role: 'anon' }, ids)
    expect(shown).toEqual([])
    expect(await meanwhile(ddl, carrying(guest.token), ids)).toEqual([booking])
  })

  it('lets anon read, later: then it is the platform’s policy that says what, but for guests’ bookings', async () => {
    const ddl = 'grant select on bookings to anon; create policy theirs on bookings for select to public using (true)'
    const shown = await meanwhile(ddl, { role: 'anon' }, ids)
    expect(shown).not.toContain(booking)
    expect(shown).toContain(ofUser)
  })

  it('let a professional change the guest’s booking that is theirs to do', async () => {
    const pro = randomUUID()
    const ddl = `update bookings set professional_id = '${pro}' where id = '${booking}';
      create policy theirs on bookings for all to authenticated using (professional_id = (select auth.uid()))`
    const changed = await meanwhile(ddl, { role: 'authenticated', userId: pro }, async (client) => [
      (await client.query(`update bookings set status = 'confirmed'`)).rowCount,
      await sqlstate(client.query('update bookings set guest_session_id = $1', [expired.id])),
    ])
    expect(changed).toEqual([1, '42501'])
  })

  it('that let anon write: a guest’s booking is still out of reach without the token', async () => {
    const ddl = `grant all on bookings to anon; create policy theirs on bookings for all to anon using (true) with check (true)`
    const [changed, deleted, made] = await meanwhile(ddl, { role: 'anon' }, async (client) => [
      (await client.query(`update bookings set service = 'x' where guest_session_id is not null`)).rowCount,
      (await client.query('delete from bookings where guest_session_id is not null')).rowCount,
      await sqlstate(client.query(BOOK, [guest.id])),
    ])
    expect([changed, deleted, made]).toEqual([0, 0, '42501'])
  })

  it('let a professional see the booking that is theirs to do', async () => {
    const pro = randomUUID()
    const ddl = `update bookings set professional_id = '${pro}' where id = '${booking}';
      create policy theirs on bookings for select to authenticated using (professional_id = (select auth.uid()))`
    expect(await meanwhile(ddl, { role: 'authenticated', userId: pro }, ids)).toEqual([booking])
  })
})
