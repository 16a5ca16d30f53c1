import { readFile } from 'node:fs/promises'
import type { PoolClient } from '@platform-events/postgres'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { bookAsGuest, makeGuest, makeUser } from '../support/guests.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

const SESSIONS = '0003_guest_sessions.sql'
const BOOKINGS = '0004_guest_bookings.sql'

let database: TestDatabase
let client: PoolClient
let said: string[]

beforeAll(async () => {
  // Later files of the module may stand on the column; the runner takes those back first.
  database = await createTestDatabase()
  client = await database.pool.connect()
  await client.query(`set marketplace.development = 'on'`)
  for (const file of ['0001_ground.sql', SESSIONS, BOOKINGS]) await up(file)
  client.release()
})
afterAll(() => database.drop())
// Everything happens in a transaction that is rolled back, so that each test finds the module as it was.
beforeEach(async () => {
  client = await database.pool.connect()
  said = []
  client.on('notice', ({ message }) => said.push(message ?? ''))
  await client.query('begin')
})
afterEach(async () => {
  await client.query('rollback')
  client.removeAllListeners('notice').release()
})

const sqlOf = (path: string) => readFile(new URL(`../../migrations/marketplace/${path}`, import.meta.url), 'utf8')
async function up(file: string): Promise<void> {
  await client.query(await sqlOf(file))
}
async function down(file: string, force = false): Promise<void> {
  await client.query(`select set_config('marketplace.force', $1, true)`, [force ? 'on' : 'off'])
  await client.query(await sqlOf(`rollback/${file}`))
}
const bookings = async () =>
  (await client.query(`select to_jsonb(b) - 'guest_session_id' as b from bookings b order by id`)).rows
const links = async () =>
  (await client.query('select id, guest_session_id, customer_id from bookings order by id')).rows

/** Everything that the files make and change, in the words of the catalog. */
async function schema(): Promise<unknown> {
  const { rows } = await client.query(`
    select 'column' as kind, attname::text as name, format('%s %s %s %s', format_type(atttypid, atttypmod), attnotnull, attacl, pg_get_expr(adbin, adrelid)) as text
    from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where attrelid in (to_regclass('guest_sessions'), to_regclass('bookings')) and attnum > 0 and not attisdropped
    union all select 'constraint', conname, pg_get_constraintdef(oid) from pg_constraint where conrelid in (to_regclass('guest_sessions'), to_regclass('bookings'))
    union all select 'index', indexname, indexdef from pg_indexes where tablename in ('guest_sessions', 'bookings')
    union all select 'policy', policyname, format('%s %s %s %s %s', permissive, roles, cmd, qual, with_check) from pg_policies where tablename in ('guest_sessions', 'bookings')
    union all select 'trigger', tgname, pg_get_triggerdef(oid) from pg_trigger where tgrelid in (to_regclass('guest_sessions'), to_regclass('bookings')) and not tgisinternal
    union all select 'table', relname, format('%s %s', array(select unnest(relacl)::text order by 1), relrowsecurity) from pg_class where oid in (to_regclass('guest_sessions'), to_regclass('bookings'))
    union all select 'function', p.oid::regprocedure::text, format('%s %s %s', md5(prosrc), prosecdef, array(select unnest(proacl)::text order by 1))
      from pg_proc p where pronamespace in ('public'::regnamespace, to_regnamespace('marketplace_internal')) and proname ~ 'guest'
    union all select 'internal table', relname, '' from pg_class where relnamespace = to_regnamespace('marketplace_internal') and relname ~ 'guest'
    order by 1, 2, 3`)
  return rows
}

it('up, down and up again leave the same, and each may be run twice', async () => {
  const before = await schema()
  for (const file of [SESSIONS, BOOKINGS]) await up(file)
  expect(await schema()).toEqual(before)
  for (const file of [BOOKINGS, BOOKINGS, SESSIONS, SESSIONS]) await down(file)
  const { rows } = await client.query(
    `select attnotnull from pg_attribute where attrelid = 'bookings'::regclass and attname = 'customer_id'`,
  )
  expect(rows).toEqual([{ attnotnull: true }])
  expect(JSON.stringify(await schema())).not.toMatch(/guest|anon/)
  for (const file of [SESSIONS, BOOKINGS]) await up(file)
  expect(await schema()).toEqual(before)
})

it('refuse while bookings have no customer, naming how many', async () => {
  const guest = await makeGuest(client as never)
  for (let n = 0; n < 3; n += 1) await bookAsGuest(client as never, guest)
  await expect(down(BOOKINGS)).rejects.toMatchObject({ code: '55000', message: '3 bookings have no customer' })
})

it('forced, keep every booking and every link, and give the links back', async () => {
  const guest = await makeGuest(client as never)
  const user = await makeUser(client as never)
  await bookAsGuest(client as never, guest)
  await client.query('insert into bookings (customer_id) values ($1)', [user])
  await client.query('insert into bookings (customer_id, guest_session_id) values ($1, $2)', [user, guest.id])
  const before = { bookings: await bookings(), links: await links(), schema: await schema() }

  await down(BOOKINGS, true)
  expect(await bookings()).toEqual(before.bookings)
  expect(said).toContain('public.bookings.customer_id stays nullable: 1 bookings have no customer')
  await down(SESSIONS, true)
  expect((await client.query(`select to_regclass('guest_sessions') as gone`)).rows).toEqual([{ gone: null }])

  await up(SESSIONS)
  await up(BOOKINGS)
  expect(await links()).toEqual(before.links)
  expect(await schema()).toEqual(before.schema)
  expect(
    (
      await client.query(
        `select count(*)::int as n from pg_class where relnamespace = to_regnamespace('marketplace_archive')`,
      )
    ).rows,
  ).toEqual([{ n: 0 }])

  await client.query('update bookings set customer_id = $1', [user])
  await down(BOOKINGS)
  const { rows } = await client.query(
    `select attnotnull from pg_attribute where attrelid = 'bookings'::regclass and attname = 'customer_id'`,
  )
  expect(rows).toEqual([{ attnotnull: true }])
})

it('of the sessions refuse while there are any, or bookings refer to them', async () => {
  await makeGuest(client as never)
  await client.query('savepoint here')
  await expect(down(SESSIONS)).rejects.toMatchObject({ code: '2BP01' })
  await client.query('rollback to here')
  await down(BOOKINGS)
  await expect(down(SESSIONS)).rejects.toMatchObject({ code: '55000', message: 'public.guest_sessions holds 1 rows' })
})

it('leave a customer_id nullable, a column and rights that the platform had before', async () => {
  await down(BOOKINGS)
  await client.query('alter table bookings alter column customer_id drop not null, add column guest_session_id uuid')
  await client.query('grant insert (customer_id, service) on bookings to anon; grant select on bookings to anon')
  const theirs = await schema()
  await up(BOOKINGS)
  const { rows } = await client.query(
    `select has_column_privilege('anon', 'bookings', 'status', 'insert') as wider, has_column_privilege('anon', 'bookings', 'guest_session_id', 'insert') as own`,
  )
  expect(rows).toEqual([{ wider: false, own: true }])
  await down(BOOKINGS)
  expect(await schema()).toEqual(theirs)
})

it('leave what the platform granted since, and take back their own columns alone', async () => {
  const may = async () =>
    (
      await client.query(
        `select has_table_privilege('anon', 'bookings', 'select') as anon, has_column_privilege('anon', 'bookings', 'notes', 'insert') as notes,
           has_column_privilege('anon', 'bookings', 'city', 'insert') as city, has_column_privilege('anon', 'bookings', 'service', 'insert') as service`,
      )
    ).rows[0]
  await client.query(
    'grant select, insert (notes) on bookings to anon; grant insert (city) on bookings to anon with grant option',
  )
  await client.query('revoke insert (subtotal) on bookings from anon')
  await down(BOOKINGS)
  // insert (notes) is the same entry as ours: nothing tells them apart.
  expect(await may()).toEqual({ anon: true, notes: false, city: true, service: false })
  expect(said.filter((line) => line.includes('was changed since'))).toEqual([
    'insert (city) on public.bookings to anon was changed since and is left as it is',
    'insert (subtotal) on public.bookings to anon was changed since and is left as it is',
  ])
})

it('find what was made by hand before, for a large table, and read nothing again', async () => {
  await down(BOOKINGS)
  await client.query(
    `alter table bookings add column guest_session_id uuid;
     create index bookings_guest_session_id_idx on bookings (guest_session_id) where guest_session_id is not null;
     alter table bookings add constraint bookings_customer_or_guest check (customer_id is not null or guest_session_id is not null) not valid`,
  )
  await up(BOOKINGS)
  const { rows } = await client.query(
    `select conname, convalidated from pg_constraint where conrelid = 'bookings'::regclass and conname ~ 'guest' order by 1`,
  )
  expect(rows).toEqual([
    { conname: 'bookings_customer_or_guest', convalidated: true },
    { conname: 'bookings_guest_session_id_fkey', convalidated: true },
  ])
})

it('lets readers pass while it waits for a long transaction', async () => {
  const [holder, reader] = [await database.pool.connect(), await database.pool.connect()]
  try {
    await holder.query('begin; select from bookings')
    const { rows } = await client.query('select pg_backend_pid() as pid')
    const applied = up(BOOKINGS)
    await vi.waitFor(
      async () => {
        const { rowCount } = await reader.query('select where cardinality(pg_blocking_pids($1)) > 0', [rows[0].pid])
        expect(rowCount).toBe(1)
      },
      { interval: 10 },
    )
    await reader.query(`begin; set local statement_timeout = '5s'; select from bookings; commit`)
    await holder.query('commit')
    await applied
  } finally {
    await Promise.all([holder, reader].map((one) => one.query('rollback').finally(() => one.release())))
  }
})

it.each([
  ['has no row level security', 'alter table bookings disable row level security', '55000'],
  [
    'has bookings of nobody',
    'alter table bookings alter column customer_id drop not null; insert into bookings default values',
    '23514',
  ],
  ['is not there', 'drop table bookings cascade', '42P01'],
  ['is not the bookings that we know', 'alter table bookings rename column customer_id to buyer', '42P01'],
])('the table is left alone where it %s', async (_, ddl, code) => {
  await down(BOOKINGS)
  await client.query(ddl)
  await expect(up(BOOKINGS)).rejects.toMatchObject({ code, hint: expect.any(String) })
})

it('bookings of guests want the sessions first', async () => {
  await down(BOOKINGS)
  await down(SESSIONS)
  await expect(up(BOOKINGS)).rejects.toMatchObject({ code: '42P01', hint: 'Apply 0003_guest_sessions.sql first.' })
})
