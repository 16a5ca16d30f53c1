import { readFile } from 'node:fs/promises'
import { createPool } from '@platform-events/postgres'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMarketplaceDatabase } from '../support/marketplace.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { as } from '../support/supabase.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createMarketplaceDatabase()
})
afterAll(() => database.drop())

const read = (name: string) => readFile(new URL(`../../migrations/marketplace/${name}`, import.meta.url), 'utf8')

it('every foreign key of the module leads an index', async () => {
  const { rows } = await database.pool.query(
    `select c.conrelid::regclass::text as relation, c.conname
     from pg_constraint c join pg_class r on r.oid = c.conrelid
     where c.contype = 'f' and (r.relnamespace = 'marketplace_internal'::regnamespace
       or (r.relnamespace = 'public'::regnamespace and pg_get_userbyid(r.relowner) <> 'events_owner'))
       and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indisvalid
         and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) like '(% IS NOT NULL)')
         and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] = c.conkey)`,
  )
  expect(rows).toEqual([])
})

it('the login that migrates may act as the API’s roles, where it made them or may grant them; else it is warned', async () => {
  const { pool, connectionString, drop } = await createTestDatabase()
  const name = new URL(connectionString).pathname.slice(1)
  const login = `app_${name.slice(-12)}`
  const version = Number((await pool.query('show server_version_num')).rows[0].server_version_num)
  // What CREATE ROLE gives its creator.
  const asCreator = version >= 160_000 ? 'admin true, set false, inherit false' : 'admin option'
  const app = createPool({ connectionString: as(connectionString, login, 'app'), applicationName: 'test', max: 1 })
  const warned: string[] = []
  app.on('connect', (client) => client.on('notice', ({ message }) => warned.push(message ?? '')))
  try {
    await pool.query(
      `create role ${login} login createrole password 'app'; grant anon to ${login} with ${asCreator};
       grant create on database ${name} to ${login}; grant create on schema public to ${login}`,
    )
    await app.query(await read('0001_ground.sql'))
    await app.query('set role anon; reset role')
    if (version >= 160_000) {
      await expect(app.query('set role authenticated')).rejects.toMatchObject({ code: '42501' })
      expect(warned.filter((message) => message.startsWith('this login may not act as'))).toEqual([
        'this login may not act as authenticated',
        'this login may not act as service_role',
      ])
    }
  } finally {
    await app.end()
    await pool.query(`drop owned by ${login}; drop role ${login}`)
    await drop()
  }
})

it('a conversation that changes says when; with its user it goes, and with it its messages and requests', async () => {
  const { pool } = database
  const { rows } = await pool.query(
    `with u as (insert into auth.users (id) values (gen_random_uuid()) returning id)
     insert into public.amara_conversations (user_id, updated_at) select id, '2026-01-01' from u
     returning id, user_id, locale, is_active, last_message_at = created_at as is_new`,
  )
  const { id, user_id: user } = rows[0]
  expect(rows[0]).toMatchObject({ locale: 'en', is_active: true, is_new: true })
  const changed = await pool.query(
    `update public.amara_conversations set last_message_at = now() where id = $1 returning updated_at = now() as now`,
    [id],
  )
  expect(changed.rows).toEqual([{ now: true }])
  await pool.query(`insert into public.amara_messages (conversation_id, role, content) values ($1, 'user', 'Hola')`, [
    id,
  ])
  await pool.query(
    `insert into marketplace_internal.chat_requests (user_id, idempotency_key, body_hash, conversation_id)
     values ($1, 'k', '\\x00', $2)`,
    [user, id],
  )
  for (const [role, locale] of [
    ['tool', 'en'],
    ['user', 'fr'],
  ])
    await expect(
      pool.query(
        `with c as (insert into public.amara_conversations (user_id, locale) values ($1, $2) returning id)
         insert into public.amara_messages (conversation_id, role, content) select id, $3, '' from c`,
        [user, locale, role],
      ),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^235(14|03)$/) })

  const left = `select (select count(*)::int from public.amara_messages) as messages,
    (select count(*)::int from marketplace_internal.chat_requests where conversation_id is null) as requests`
  await pool.query('delete from public.amara_conversations where id = $1', [id])
  expect((await pool.query(left)).rows).toEqual([{ messages: 0, requests: 1 }])
  await pool.query('delete from auth.users where id = $1', [user])
  expect((await pool.query(left)).rows).toEqual([{ messages: 0, requests: 0 }])
})

it('referral credits are the rewarded ones, of those rows that the caller may read', async () => {
  const { pool } = database
  const { rows } = await pool.query<{ id: string }>(
    `insert into auth.users (id) values (gen_random_uuid()), (gen_random_uuid()) returning id`,
  )
  const [a, b] = rows.map((row) => row.id) as [string, string]
  await pool.query(
    `insert into public.referrals (referrer_id, status, referrer_credit_amount)
     values ($1, 'rewarded', 15000), ($1, 'rewarded', 5000), ($1, 'pending', 900), ($2, 'rewarded', 7)`,
    [a, b],
  )
  const asked = async (role: string, caller: string | null, user: string) => {
    const client = await pool.connect()
    try {
      await client.query('begin')
      await client.query(`select set_config('request.jwt.claims', $1, true), set_config('role', $2, true)`, [
        JSON.stringify({ sub: caller, role }),
        role,
      ])
      return (await client.query('select public.get_user_referral_credits($1) as credits', [user])).rows[0].credits
    } finally {
      await client.query('rollback')
      client.release()
    }
  }
  expect(await asked('authenticated', a, a)).toBe(20_000)
  expect(await asked('authenticated', a, b)).toBe(0)
  expect(await asked('service_role', null, b)).toBe(7)
  await expect(asked('anon', null, a)).rejects.toMatchObject({ code: '42501' })
})

it('where the platform has no referrals, or none of whom, the file says what is missing', async () => {
  const { pool, drop } = await createTestDatabase()
  try {
    const credits = await read('0005_referral_credits.sql')
    await expect(pool.query(credits)).rejects.toMatchObject({
      message: 'there is no table public.referrals',
      hint: expect.stringContaining('0001_ground.sql'),
    })
    await pool.query('create table public.referrals (inviter uuid, status text, referrer_credit_amount int)')
    await expect(pool.query(credits)).rejects.toThrow('none of the columns referrer_id, referrer_user_id, user_id')
    await pool.query('alter table public.referrals rename inviter to user_id')

    // One that the platform has stays, through up and down.
    await pool.query(`create function public.get_user_referral_credits(p_user_id uuid) returns numeric return 42`)
    const theirs = `select public.get_user_referral_credits(gen_random_uuid()) as credits`
    await pool.query(`${credits}; ${await read('rollback/0005_referral_credits.sql')}`)
    expect((await pool.query(theirs)).rows).toEqual([{ credits: '42' }])
    await pool.query('drop function public.get_user_referral_credits(uuid)')
    await pool.query(`${credits}; ${credits}`)
    expect((await pool.query(theirs)).rows).toEqual([{ credits: 0 }])
  } finally {
    await drop()
  }
})

it('the comment on a table of the future keeps what was there, and its rollback what somebody wrote since', async () => {
  const { pool } = database
  await pool.query(
    `create table public.sms_logs (id int); create table public.user_blocks (id int); create view public.insurance_claims as select 1 as n;
     comment on table public.sms_logs is 'Ours.'; comment on table public.user_blocks is 'Theirs.'`,
  )
  const comments = async () =>
    (
      await pool.query(
        `select obj_description('public.sms_logs'::regclass) as sms, obj_description('public.user_blocks'::regclass) as blocks`,
      )
    ).rows[0]
  await pool.query(await read('0010_future_tables.sql'))
  expect(await comments()).toMatchObject({ sms: expect.stringMatching(/^For a future feature, .*\nOurs\.$/) })
  await pool.query(`comment on table public.user_blocks is 'In use now.'`)
  await pool.query(await read('rollback/0010_future_tables.sql'))
  expect(await comments()).toEqual({ sms: 'Ours.', blocks: 'In use now.' })
})
