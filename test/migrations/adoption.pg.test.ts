import { createPool, migrate, type Pool } from '@platform-events/postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { asCaller, sqlstate } from '../support/callers.ts'
import { FAR_APART, type GroundDatabase, type GroundServer, startGround } from '../support/grounds.ts'
import { rollupDifferences } from '../support/stored.ts'
import { makeTableOfBefore } from '../support/table-of-before.ts'

const ANA = '10000000-0000-4000-8000-00000000000a'
const BEN = '10000000-0000-4000-8000-00000000000b'
const ADMIN = '10000000-0000-4000-8000-00000000000c'

describe.each(FAR_APART)('a platform_events that was there before, on $name', (ground) => {
  let server: GroundServer
  let database: GroundDatabase
  let pool: Pool
  let superuser: Pool

  beforeAll(async () => {
    server = await startGround(ground)
  })
  afterAll(() => server.stop())

  beforeEach(async () => {
    database = await server.createDatabase()
    pool = createPool({ connectionString: database.migratorUrl, applicationName: 'test' })
    superuser = createPool({ connectionString: database.superuserUrl, applicationName: 'test' })
    await makeTableOfBefore(superuser, pool)
    await superuser.query('insert into auth.users (id) values ($1), ($2), ($3)', [ANA, BEN, ADMIN])
    await superuser.query(`insert into public.profiles (id, role) values ($1, 'admin')`, [ADMIN])
  })
  afterEach(() => Promise.all([pool.end(), superuser.end()]))

  const one = async <T>(sql: string, values: unknown[] = []): Promise<T> => (await pool.query(sql, values)).rows[0]
  const importAll = async (batch: number): Promise<number> => {
    for (let calls = 1; ; calls++)
      if ((await one<{ n: string }>('select events_internal.import_before($1) as n', [batch])).n === '0') return calls
  }
  /** As supabase-js inserts, and calls functions: as a guest, and as an admin with dates as text. */
  const insertAsGuest = (type: string) =>
    asCaller(superuser, { role: 'anon' }, (ask) =>
      ask('insert into public.platform_events (event_type, session_id, properties) values ($1, $2, $3)', [
        type,
        's-new',
        '{}',
      ]),
    )
  const rpc = (name: string) =>
    asCaller(superuser, { role: 'authenticated', userId: ADMIN }, async (ask) => {
      const now = Date.now()
      const dates = [new Date(now - 30 * 86_400_000).toISOString(), new Date(now + 60_000).toISOString()]
      return (await ask(`select * from public.${name}(p_start_date => $1, p_end_date => $2)`, dates)).rows
    })

  it('steps aside, and the calls of existing clients work at once', async () => {
    await pool.query(`insert into public.platform_events (event_type) select 'Old' from generate_series(1, 3)`)
    await migrate(database.migratorUrl)
    await insertAsGuest('SearchStarted')
    expect(await rpc('get_event_counts_by_type')).toEqual([{ event_type: 'SearchStarted', event_count: '1' }])
    expect(await rpc('get_conversion_funnel')).toMatchObject([
      { stage: 'SearchStarted', unique_users: '1' },
      {},
      {},
      {},
    ])
    await asCaller(superuser, { role: 'service_role' }, (ask) => ask('select public.cleanup_old_platform_events()'))
    expect(await one('select count(*)::int as n from events_internal.platform_events_before')).toEqual({ n: 3 })
    for (const role of ['anon', 'authenticated', 'service_role'] as const)
      expect(
        await sqlstate(
          asCaller(superuser, { role }, (ask) => ask('select from events_internal.platform_events_before')),
        ),
      ).toBe('42501')
  })

  it('is imported: every row of 90 days once, with its id and time, counted and in funnels', async () => {
    // 90 days and more, several a day, sessions that log in, rows that do not fit and rows from elsewhere in time.
    await pool.query(
      `insert into public.platform_events (event_type, user_id, session_id, properties, created_at)
       select (array['SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'BookingConfirmed'])[1 + n % 4],
              case when n % 4 = 3 then $1::uuid end, 's-' || n / 4, case when n % 10 = 0 then null else '{"pro_id": "p"}'::jsonb end,
              now() - make_interval(days => n / 10, secs => 400 - n % 10)
       from generate_series(0, 999) n`,
      [ANA],
    )
    await pool.query('drop index platform_events_event_type_created_at_idx, idx_platform_events_session_id')
    const odd = `insert into public.platform_events (event_type, session_id, created_at)`
    await pool.query(
      `${odd} values ((select string_agg(md5(n::text), '') from generate_series(1, 100) n), null, now())`,
    )
    await pool.query(`${odd} values ('A', (select string_agg(md5(n::text), '') from generate_series(1, 100) n), now())`)
    await pool.query(
      `${odd} values ('Future', 's', now() + interval '3 years'), ('Old', 's', '2001-01-01'), ('Never', 's', 'infinity')`,
    )
    const window = `created_at >= date_trunc('day', now() - interval '90 days', 'UTC') and created_at < now() + interval '1 day'`
    const fits = 'length(event_type) < 2000 and coalesce(length(session_id), 0) < 2000'
    const expected = await pool.query(
      `select id, event_type, user_id, session_id, properties, created_at::text
       from public.platform_events where ${window} and ${fits} order by created_at, id`,
    )
    await migrate(database.migratorUrl)
    await insertAsGuest('Live')

    expect(await one('select * from events_internal.import_status()')).toMatchObject({ copied: '0', in_future: '2' })
    expect(await importAll(7)).toBeGreaterThan(100)
    const found = await pool.query(
      `select id, event_type, user_id, session_id, properties, created_at::text
       from public.platform_events where event_type <> 'Live' order by created_at, id`,
    )
    expect(found.rows.length).toBeGreaterThan(900)
    expect(found.rows).toEqual(expected.rows)
    expect(await rollupDifferences(pool)).toEqual([])
    const wrongKeys = `select count(*)::int as n from public.platform_events
      where source_id <> 0 or actor_key is distinct from events_internal.actor_key(user_id, session_id)`
    expect(await one(wrongKeys)).toEqual({ n: 0 })
    const sessions = `select count(*)::int as n from (
      select distinct on (session_id) session_id, user_id, created_at, id from public.platform_events
      where user_id is not null and session_id is not null order by session_id, created_at, id) e
      full join events_internal.session_users s using (session_id)
      where (s.user_id, s.first_created_at, s.first_id) is distinct from (e.user_id, e.created_at, e.id)`
    expect(await one(sessions)).toEqual({ n: 0 })

    // Again: nothing twice; and the old table is as it was.
    expect(await importAll(7)).toBe(1)
    expect(await one('select * from events_internal.import_status()')).toEqual({
      copied: String(expected.rows.length),
      to_do: '0',
      too_old: String(1000 + 5 - expected.rows.length - 4),
      in_future: '2',
      unfit: '2',
    })
    expect(await one('select count(*)::int as n from events_internal.platform_events_before')).toEqual({ n: 1005 })
    expect(await rpc('get_conversion_funnel')).toMatchObject([
      { stage: 'SearchStarted', unique_users: '1' },
      {},
      {},
      {},
    ])
  })

  it('is imported whole by two at once, killed in the middle, beside inserts, a deletion and the forgotten', async () => {
    await pool.query(
      `insert into public.platform_events (event_type, user_id, session_id, created_at)
       select 'Old', (array[$1, $2, $3]::uuid[])[1 + n % 3], 's-' || n % 50, now() - make_interval(hours => n % 240, secs => n)
       from generate_series(1, 3000) n`,
      [ANA, BEN, ADMIN],
    )
    await superuser.query('update auth.users set deleted_at = now() where id = $1', [BEN]) // softly: no foreign key sees it
    await migrate(database.migratorUrl)
    const killed = await pool.connect()
    await killed.query('begin; select events_internal.import_before(100)')
    const importers = Promise.all([importAll(37), importAll(53)])
    killed.release(true)
    const live = (async () => {
      for (let n = 0; n < 100; n++) await insertAsGuest('Live')
    })()
    await expect
      .poll(() => one(`select count(*) > 500 as enough from public.platform_events`), { timeout: 20_000, interval: 20 })
      .toEqual({ enough: true })
    await superuser.query('delete from auth.users where id = $1', [ANA])
    await Promise.all([importers, live])
    expect(await importAll(1000)).toBe(1)
    const counts = `select event_type, count(*)::int as n, count(distinct id)::int as ids, count(user_id)::int as named,
      count(user_id) filter (where user_id <> $1)::int as wrong from public.platform_events group by 1 order by 1`
    expect((await pool.query(counts, [ADMIN])).rows).toEqual([
      { event_type: 'Live', n: 100, ids: 100, named: 0, wrong: 0 },
      { event_type: 'Old', n: 3000, ids: 3000, named: 1000, wrong: 0 },
    ])
    expect(await rollupDifferences(pool)).toEqual([])
    expect(
      await one('select count(*)::int as n from events_internal.session_users where user_id <> $1', [ADMIN]),
    ).toEqual({ n: 0 })
  })

  it('loses none of the rows that browsers insert while we migrate', async () => {
    let done = false
    let inserted = 0
    const browsers = Array.from({ length: 4 }, async () => {
      const client = await superuser.connect()
      await client.query('set role anon')
      await client.query(`set statement_timeout = '3s'`)
      // Prepared, as PostgREST does it.
      const statement = {
        name: 'insert',
        text: `insert into public.platform_events (event_type, session_id) values ('Live', $1)`,
      }
      while (!done) {
        await client.query({ ...statement, values: ['s'] })
        inserted++
      }
      await client.query('reset role')
      client.release()
    })
    await expect.poll(() => inserted).toBeGreaterThan(50)
    await migrate(database.migratorUrl)
    const before = inserted
    await expect.poll(() => inserted).toBeGreaterThan(before + 50)
    done = true
    await Promise.all(browsers)
    const rows = `select (select count(*)::int from public.platform_events) as new,
      (select count(*)::int from events_internal.platform_events_before) as old`
    const found = await one<{ new: number; old: number }>(rows)
    expect(found.new).toBeGreaterThan(50)
    expect(found.new + found.old).toBe(inserted)
    await importAll(5000)
    expect(
      await one("select event_count::int as n from public.get_event_counts_by_type(now() - interval '1 day', now())"),
    ).toEqual({
      n: inserted,
    })
  })

  it('is refused where it is something else, with nothing changed', async () => {
    await pool.query('alter table public.platform_events alter column created_at drop not null')
    await expect(migrate(database.migratorUrl)).rejects.toThrow(
      /no table of events that can be taken over.*: created_at timestamp with time zone. Rename it, then migrate/,
    )
    expect(await one(`select to_regclass('events_internal.event_sources') as made`)).toEqual({ made: null })
    await insertAsGuest('A')
  })
})
