import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@platform-events/runtime'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { placesThatHold } from '../../../../test/support/database-text.ts'
import { bookAsGuest, makeGuest } from '../../../../test/support/guests.ts'
import { createMarketplaceDatabase, marketplaceApp } from '../../../../test/support/marketplace.ts'
import { makePerson, type Person } from '../../../../test/support/marketplace-people.ts'
import { platformToken } from '../../../../test/support/platform-token.ts'
import type { TestDatabase } from '../../../../test/support/postgres.ts'

const MIGRATIONS = new URL('../../../../migrations/marketplace/', import.meta.url)
const MEMORY = ['events_internal.deleted_users', 'events_internal.forgotten_sessions']

let database: TestDatabase
let app: FastifyInstance
let folder: string
let ana: Person
let ben: Person
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-'))
  database = await createMarketplaceDatabase()
  app = await marketplaceApp(database, {
    logger: createLogger({ name: 'test', level: 'error', file: join(folder, 'log') }),
  })
  ana = await makePerson(database.pool)
  ben = await makePerson(database.pool)
})
afterEach(async () => {
  await app.close()
  await database.drop()
  await rm(folder, { recursive: true })
})

interface Defect {
  relation: string
  because: string
  mend: string
}
interface Receipt {
  receipt_id: string | null
  places: { place: string; action: string; n: number | null }[]
}
const query = async <Row = Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<Row[]> =>
  (await database.pool.query(sql, values)).rows as Row[]
const headersOf = (person: Person) => ({ authorization: `Bearer ${platformToken({ sub: person.id })}` })
const exportOf = async (person: Person) =>
  (await app.inject({ url: '/api/account/export', headers: headersOf(person) })).json()
const forget = async (person: Person) =>
  await app.inject({ method: 'DELETE', url: '/api/account', headers: headersOf(person) })
const defects = () => query<Defect>('select * from marketplace_internal.unregistered_personal_tables()')
const forgetGuest = async (id: string): Promise<Receipt> =>
  (await query<Receipt & Record<string, unknown>>('select * from marketplace_internal.forget_guest($1)', [id]))[0]!
const migration = (name: string) => readFile(new URL(name, MIGRATIONS), 'utf8')

describe('what the registry does not know', () => {
  it('is every table that looks like somebody’s, however its columns are written', async () => {
    expect(await defects()).toEqual([])
    await query('create table public.addresses (id int primary key, owner uuid references auth.users, street text)')
    await query('create table public.visits ("sessionId" text)')
    expect(await defects()).toMatchObject([
      { relation: 'public.addresses', because: expect.stringContaining('(foreign key to auth.users)') },
      { relation: 'public.visits', because: expect.stringContaining('(column sessionId)') },
    ])
    await query(
      `insert into marketplace_internal.personal_data (relation, export_as, export_where, on_forget)
       values ('public.addresses', 'addresses', '{t.Owner = $1}', 'delete'),
         ('public.visits', 'visits', array['t."sessionId" = any ($3)'], 'delete')`,
    )
    expect(await defects()).toEqual([])
    await query(`insert into public.addresses values (1, $1, 'Calle 1')`, [ana.id])
    await query('insert into public.visits values ($1)', [ana.sessionId])
    expect(await exportOf(ana)).toMatchObject({
      addresses: [{ id: 1, owner: ana.id, street: 'Calle 1' }],
      visits: [{ sessionId: ana.sessionId }],
    })
  })

  it('is whose the rows of a table are that has other columns: nobody is forgotten until somebody says', async () => {
    await query('alter table public.notifications rename user_id to recipient_id')
    const [defect, ...more] = await defects()
    expect(more).toEqual([])
    expect(defect).toMatchObject({ relation: 'public.notifications', because: expect.stringContaining('conditions') })
    const refused = await forget(ana)
    expect(refused.statusCode, refused.body).toBe(409)
    expect(refused.json()).toMatchObject({ code: 'account_kept', message: expect.stringContaining('nothing') })
    expect(JSON.parse((await readFile(join(folder, 'log'), 'utf8')).trimEnd())).toMatchObject({
      level: 50,
      table: 'public.notifications',
      hint: expect.stringContaining('export_where'),
      reqId: expect.any(String),
    })
    expect((await exportOf(ana)).account).toMatchObject({ id: ana.id })

    await query(defect!.mend.replace('…', 'recipient_id'))
    expect(await defects()).toEqual([])
    expect((await forget(ana)).statusCode).toBe(200)
    expect(await placesThatHold(database.pool, [ana.id, ana.mark], MEMORY)).toEqual([])
  })

  it('is also a column that is there and means something else: exports go on without it', async () => {
    await query('drop table public.customers; create table public.customers (id int, user_id uuid)')
    expect(await defects()).toMatchObject([
      { relation: 'public.customers', because: expect.stringContaining('conditions') },
    ])
    const exported = await exportOf(ana)
    expect(exported).toMatchObject({ account: { id: ana.id } })
    expect(exported).not.toHaveProperty('customer')
    expect((await forget(ana)).json()).toMatchObject({ code: 'account_kept' })
  })

  it('is what columns mean of rows that stay: the receipt says so', async () => {
    await query(`alter table public.bookings add address text, add "Door" jsonb, add floor int`)
    const [defect, ...more] = await defects()
    expect(more).toEqual([])
    expect(defect).toMatchObject({ relation: 'public.bookings', because: expect.stringMatching(/: address, Door$/) })
    const { places } = (await forget(ben)).json<Receipt>()
    expect(places).toContainEqual({
      place: 'public.bookings',
      action: expect.stringMatching(/^not reached, .*: address, Door$/),
      n: null,
    })
    await query(defect!.mend)
    await query(
      `update marketplace_internal.personal_data set not_personal = not_personal || '{Door}' where relation = 'public.bookings' and part = ''`,
    )
    expect(await defects()).toEqual([])
    await query('update public.bookings set address = $1 where customer_id = $2', [ana.mark, ana.id])
    expect((await forget(ana)).json<Receipt>().places.filter(({ action }) => /Door/.test(action))).toEqual([])
    expect(await placesThatHold(database.pool, [ana.mark], MEMORY)).toEqual([])
  })
})

describe('whose something is', () => {
  it('is not what somebody wrote into a booking of their own', async () => {
    const guest = await makeGuest(database.pool)
    const booking = await bookAsGuest(database.pool, guest)
    await query('insert into public.bookings (customer_id, guest_session_id) values ($1, $2)', [ana.id, guest.id])
    const exported = await exportOf(ana)
    expect(exported.guest_sessions.map(({ id }: { id: string }) => id)).toEqual([ana.guestId])
    expect(exported.bookings).toHaveLength(3)
    expect((await forget(ana)).statusCode).toBe(200)
    expect(
      await query('select guest_session_id from public.bookings where id = $1 and service is not null', [booking]),
    ).toEqual([{ guest_session_id: guest.id }])
    expect(await query('select from public.guest_sessions where id = $1', [guest.id])).toHaveLength(1)
  })

  it('is not theirs who put an event into a session that somebody else was in', async () => {
    await query(
      `insert into public.platform_events (event_type, session_id, properties) values ('A', 's', '{"a": "ben-only"}')`,
    )
    await query(`insert into public.platform_events (event_type, session_id, user_id) values ('A', 's', $1)`, [ben.id])
    await query(`insert into public.searches (session_id, city) values ('s', 'ben-only')`)
    await query(
      `insert into public.platform_events (event_type, session_id, user_id, created_at) values ('A', 's', $1, now() - interval '1 minute')`,
      [ana.id],
    )
    expect(await query(`select user_id from events_internal.session_users where session_id = 's'`)).toEqual([
      { user_id: ana.id },
    ])
    const exported = await exportOf(ana)
    expect(exported.events.filter(({ session_id }: { session_id: string }) => session_id === 's')).toHaveLength(1)
    expect(JSON.stringify(exported)).not.toContain('ben-only')
    await query('delete from public.platform_events where user_id = $1', [ben.id])
    expect(JSON.stringify(await exportOf(ana))).toContain('ben-only')
  })

  it('is also the professional’s, without what is the customer’s', async () => {
    await query('update public.bookings set professional_id = $1 where id = $2', [ana.id, ben.bookingId])
    const { jobs } = await exportOf(ana)
    expect(jobs).toMatchObject([{ id: ben.bookingId, professional_id: ana.id, total: 90000 }])
    expect(JSON.stringify(jobs)).not.toMatch(new RegExp(`${ben.id}|${ben.mark}|customer_id|notes`))
    expect((await forget(ana)).json<Receipt>().places).toContainEqual({
      place: 'public.bookings (jobs)',
      action: 'anonymise',
      n: 1,
    })
    const booked = () =>
      query('select customer_id, professional_id, notes from public.bookings where id = $1', [ben.bookingId])
    expect(await booked()).toEqual([{ customer_id: ben.id, professional_id: null, notes: ben.mark }])
    // Where a booking must have one, the id of nobody stays.
    const third = await makePerson(database.pool)
    await query('update public.bookings set professional_id = $1', [third.id])
    await query('alter table public.bookings alter professional_id set not null')
    expect((await forget(third)).json<Receipt>().places).toContainEqual({
      place: 'public.bookings (jobs)',
      action: 'keep',
      n: expect.any(Number),
    })
    expect(await booked()).toMatchObject([{ professional_id: third.id }])
  })

  it('is the reviews and payments of what they booked, also those without a customer', async () => {
    for (const booking of [ana.bookingId, ben.bookingId])
      await query(`insert into public.booking_reviews (booking_id, body) values ($1, $2)`, [booking, `of ${booking}`])
    const { rows } = await database.pool.query('select id from public.bookings where customer_id = $1 and id <> $2', [
      ana.id,
      ana.bookingId,
    ])
    await query(`insert into public.booking_reviews (booking_id, body) values ($1, 'as a guest')`, [rows[0].id])
    await query(`insert into public.payments (booking_id, method) values ($1, 'as a guest')`, [rows[0].id])
    const exported = await exportOf(ana)
    expect(exported.reviews.map(({ body }: { body: string }) => body).sort()).toEqual(
      ['as a guest', `of ${ana.bookingId}`, ana.mark].sort(),
    )
    expect(exported.payments).toHaveLength(2)
    await forget(ana)
    expect(await query(`select body from public.booking_reviews where body is not null order by 1`)).toEqual([
      { body: ben.mark },
      { body: `of ${ben.bookingId}` },
    ])
  })

  it('stays the other’s in what was put aside, and goes where there is no other', async () => {
    await query(`create schema if not exists marketplace_archive`)
    await query(
      'create table marketplace_archive.referral_credits (referrer_id uuid, referred_id uuid, session_id text, n int)',
    )
    await query(
      `insert into marketplace_archive.referral_credits
       values ($1, $2, null, 1), ($2, $1, null, 2), ($1, null, null, 3), ($2, null, $3, 4), (null, null, $3, 5), ($2, null, null, 6)`,
      [ana.id, ben.id, ana.sessionId],
    )
    await query('create table marketplace_archive.visits (user_id uuid, session_id text)')
    await query('insert into marketplace_archive.visits values ($1, $2), (null, $2)', [ben.id, ana.sessionId])
    const exported = await exportOf(ana)
    const numbers = (rows: { n: number }[]) => rows.map(({ n }) => n).sort()
    expect(numbers(exported['marketplace_archive.referral_credits'])).toEqual([3, 5])
    expect(numbers(exported['marketplace_archive.referral_credits (shared)'])).toEqual([1, 2])
    expect(exported['marketplace_archive.visits']).toEqual([{ user_id: null, session_id: ana.sessionId }])
    expect((await forget(ana)).statusCode).toBe(200)
    expect(await query('select user_id from marketplace_archive.visits')).toEqual([{ user_id: ben.id }])
    expect(
      await query('select referrer_id, referred_id, n from marketplace_archive.referral_credits order by n'),
    ).toEqual([
      { referrer_id: null, referred_id: ben.id, n: 1 },
      { referrer_id: ben.id, referred_id: null, n: 2 },
      { referrer_id: ben.id, referred_id: null, n: 4 },
      { referrer_id: ben.id, referred_id: null, n: 6 },
    ])
  })
})

describe('a guest without an account', () => {
  it('is forgotten by the same registry, with the earlier sessions of the same browser', async () => {
    const device = { device: 'the-device', analytics_session_id: 'the-tab' }
    const [earlier, guest] = [
      await makeGuest(database.pool, { device: 'the-device' }),
      await makeGuest(database.pool, device),
    ]
    const other = await makeGuest(database.pool)
    const bookings = [await bookAsGuest(database.pool, earlier), await bookAsGuest(database.pool, guest)]
    await query(`update public.bookings set notes = 'guest-words' where id = any ($1)`, [bookings])
    await query(`insert into public.booking_reviews (booking_id, body) values ($1, 'guest-words')`, [bookings[1]])
    await query(`insert into public.payments (booking_id) values ($1)`, [bookings[1]])
    await query(`insert into public.searches (session_id, city) values ('the-tab', 'guest-words')`)
    await query(
      `insert into public.platform_events (event_type, session_id, properties) values ('A', 'the-tab', '{"a": "guest-words"}')`,
    )
    const receipt = await forgetGuest(guest.id)
    const done = Object.fromEntries(receipt.places.map(({ place, n }) => [place, n]))
    expect(done).toMatchObject({
      'public.bookings': 2,
      'public.guest_sessions': 2,
      'public.searches': 1,
      'public.payments': 1,
      'public.booking_reviews': 1,
      'auth.users': 0,
    })
    expect(await query('select receipt_id from marketplace_internal.forget_receipts')).toEqual([
      { receipt_id: receipt.receipt_id },
    ])
    const texts = ['guest-words', 'the-tab', 'the-device', guest.id, earlier.id, guest.token]
    expect(await placesThatHold(database.pool, texts, MEMORY)).toEqual([])
    expect(await query('select status, guest_session_id from public.bookings where id = any ($1)', [bookings])).toEqual(
      Array(2).fill({ status: 'pending', guest_session_id: '00000000-0000-4000-8000-000000000000' }),
    )
    expect(await query('select from public.guest_sessions where id = $1', [other.id])).toHaveLength(1)
    expect((await forgetGuest(guest.id)).receipt_id).toBeNull()
  })

  it('is nobody who has an account, nor nobody', async () => {
    await expect(forgetGuest(ana.guestId)).rejects.toMatchObject({
      code: '22023',
      hint: expect.stringContaining(ana.id),
    })
    await expect(forgetGuest('00000000-0000-4000-8000-000000000000')).rejects.toMatchObject({ code: '22023' })
    expect((await exportOf(ana)).guest_sessions).toHaveLength(1)
  })
})

it('a receipt names what lies where the database does not reach', async () => {
  await query(`create schema storage; create table storage.objects (id int)`)
  await query(`create table if not exists auth.audit_log_entries (id int)`)
  expect((await forget(ana)).json<Receipt>().places).toEqual(
    expect.arrayContaining([
      { place: 'storage.objects', action: expect.stringMatching(/^not reached/), n: null },
      { place: 'auth.audit_log_entries', action: expect.stringMatching(/^not reached/), n: null },
    ]),
  )
})

it('a rollback keeps what a platform registered or changed, and receipts', async () => {
  const registry = () => query('select * from marketplace_internal.personal_data order by relation, part')
  await query(`insert into marketplace_internal.personal_data (relation, on_forget) values ('public.theirs', 'none')`)
  await query(
    `update marketplace_internal.personal_data set anonymise_set = anonymise_set || '{address = null}' where relation = 'public.bookings' and part = ''`,
  )
  const { receipt_id } = (await forget(ana)).json<Receipt>()
  const before = await registry()
  const down = await migration('rollback/0006_personal_data.sql')
  await expect(query(down)).rejects.toThrow('marketplace_internal.personal_data holds 2 rows')
  await query(`begin; set local marketplace.force = 'on'; ${down}; commit`)
  await query(await migration('0006_personal_data.sql'))
  expect(await registry()).toEqual(before)
  expect(await query('select receipt_id from marketplace_internal.forget_receipts')).toEqual([{ receipt_id }])
  expect(
    await query(
      `select relname from pg_class where relnamespace = 'marketplace_archive'::regnamespace and relkind = 'r'`,
    ),
  ).toEqual([])
})
