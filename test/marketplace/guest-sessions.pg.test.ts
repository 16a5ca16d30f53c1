import { randomUUID } from 'node:crypto'
import type { Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asCaller, type Caller, sqlstate } from '../support/callers.ts'
import { GROUNDS } from '../support/grounds.ts'
import { makeNobody } from '../support/guests.ts'
import { startMarketplace } from '../support/marketplace-ground.ts'

// Both ages of Supabase's default privileges, and a login that is no superuser and has no Supabase.
const grounds = GROUNDS.filter(({ name }) => ['15 supabase-old', '18 supabase-new', '18 owner'].includes(name))

const newToken = (): string => `tok-${randomUUID()}`
const INSERT = `insert into public.guest_sessions (session_token, email, full_name, phone) values ($1, $2, 'Ana Gómez', '+57 300')`

describe.each(grounds)('guest sessions on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }
  const user = randomUUID()
  const other = randomUUID()
  const victim = { token: newToken(), id: '', email: 'victim@example.com' }

  beforeAll(async () => {
    database = await startMarketplace(ground)
    await database.superuser.query('insert into auth.users (id) values ($1), ($2)', [user, other])
    const { rows } = await asCaller(database.superuser, { role: 'anon' }, (ask) =>
      ask<{ id: string }>(`${INSERT} returning *`, [victim.token, victim.email]),
    )
    victim.id = rows[0]!.id
  })
  afterAll(() => database.stop())

  const ask = (caller: Caller, sql: string, values: unknown[] = []) =>
    asCaller(database.superuser, caller, (run) => run(sql, values))
  const withToken = (token: string): Caller => ({ role: 'anon', headers: { 'x-guest-session-token': token } })

  it.each([{ role: 'anon' }, { role: 'authenticated', userId: user }] satisfies Caller[])(
    'let $role make one and read it back in the same statement, and in no later one',
    async (caller) => {
      const token = newToken()
      const { rows } = await ask(caller, `${INSERT} returning *`, [token, '  Ana@Example.COM '])
      expect(rows).toMatchObject([{ session_token: token, email: 'ana@example.com', phone: '+57 300', metadata: {} }])
      const { created_at: created, expires_at: expires } = rows[0] as { created_at: Date; expires_at: Date }
      expect(expires.getTime() - created.getTime()).toBe(24 * 60 * 60 * 1000)
      expect((await ask(caller, 'select * from public.guest_sessions')).rows).toEqual([])
      expect(
        (await ask({ ...caller, ...withToken(token), role: caller.role }, 'select * from guest_sessions')).rows,
      ).toEqual(rows)
    },
  )

  it('let several be made at once, but not read back', async () => {
    const several = `insert into public.guest_sessions (session_token, email, full_name) values ($1, 'a@b.co', 'A'), ($2, 'c@d.co', 'C')`
    expect((await ask({ role: 'anon' }, several, [newToken(), newToken()])).rowCount).toBe(2)
    expect(await sqlstate(ask({ role: 'anon' }, `${several} returning id`, [newToken(), newToken()]))).toBe('42501')
  })

  it('show one by its token, as a header or an argument, until it has expired', async () => {
    const token = newToken()
    await ask({ role: 'anon' }, INSERT, [token, 'soon@example.com'])
    const byArgument = async () =>
      (await ask({ role: 'anon' }, 'select email from public.get_guest_session($1)', [token])).rows
    const byHeader = async () => (await ask(withToken(token), 'select email from public.guest_sessions')).rows
    for (const read of [byArgument, byHeader]) expect(await read()).toEqual([{ email: 'soon@example.com' }])
    await database.superuser.query(`update guest_sessions set expires_at = now() where session_token = $1`, [token])
    for (const read of [byArgument, byHeader]) expect(await read()).toEqual([])
  })

  it.each([
    ['the id', 'id', `gen_random_uuid()`],
    ['the end', 'expires_at', `now() + interval '1 year'`],
    ['the beginning', 'created_at', `now() - interval '1 year'`],
    ['the metadata', 'metadata', `'{"converted_to_user_id": "x"}'`],
  ])('let nobody choose %s, even where everything was granted to all', async (_, column, value) => {
    const insert = `insert into public.guest_sessions (session_token, email, full_name, ${column}) values ($1, 'a@b.co', 'A', ${value})`
    expect(await sqlstate(ask({ role: 'anon' }, insert, [newToken()]))).toBe('42501')
    if (column === 'id') return
    const client = await database.superuser.connect()
    try {
      await client.query('begin; grant all on public.guest_sessions to anon; set local role anon')
      expect(await sqlstate(client.query(insert, [newToken()]))).toBe('42501')
    } finally {
      await client.query('rollback')
      client.release()
    }
  })

  it.each([
    ['a token of 15 characters', 'short-token-123', 'a@b.co', 'A'],
    ['a token of 201', 'x'.repeat(201), 'a@b.co', 'A'],
    ['no e-mail address', newToken(), 'nobody', 'A'],
    ['an endless address', newToken(), `${'a'.repeat(320)}@b.co`, 'A'],
    ['no name', newToken(), 'a@b.co', ''],
  ])('refuse %s', async (_, token, email, name) => {
    const insert = 'insert into public.guest_sessions (session_token, email, full_name) values ($1, $2, $3)'
    expect(await sqlstate(ask({ role: 'anon' }, insert, [token, email, name]))).toBe('23514')
  })

  describe('attacked', () => {
    const attackers: [string, Caller][] = [
      ['anon', { role: 'anon' }],
      ['user A', { role: 'authenticated', userId: user }],
      ['user B', { role: 'authenticated', userId: other }],
      ['a guest', { role: 'anon', headers: { 'x-guest-session-token': newToken() } }],
      ['an empty token', { role: 'anon', headers: { 'x-guest-session-token': '' } }],
      ['a pattern', { role: 'anon', headers: { 'x-guest-session-token': '%' } }],
    ]

    it.each(attackers)('by %s: no statement tells of a session that is there', async (_, attacker) => {
      const reads = [
        'select * from public.guest_sessions',
        'select count(*)::int from public.guest_sessions having count(*) > 0',
        `select from public.guest_sessions where id = '${victim.id}'`,
        `select from public.guest_sessions where email = '${victim.email}'`,
        `select from public.guest_sessions where email like 'v%'`,
        `select from public.guest_sessions where ctid = '(0,1)'`,
        'select g from public.guest_sessions g',
        'select to_jsonb(g) from public.guest_sessions g',
        'table public.guest_sessions',
        `with w as (${INSERT.replace('$1', `'${newToken()}'`).replace('$2', `'x@y.co'`)} returning 1) select from public.guest_sessions`,
        `select * from public.get_guest_session('%')`,
        `select * from public.get_guest_session(null)`,
        `select * from public.get_guest_session('${victim.id}')`,
        `select * from pg_stats where tablename = 'guest_sessions'`,
        `insert into public.guest_sessions (session_token, email, full_name) values ('${victim.token}', 'x@y.co', 'X') on conflict do nothing returning *`,
        `insert into public.guest_sessions (session_token, email, full_name) values ('${victim.token}', 'x@y.co', 'X') on conflict (session_token) do nothing returning *`,
        // A cast that fails says what it read: only what the policy has let through.
        'select from public.guest_sessions where email::int = 1',
        `select xmlelement(name x, query_to_xml('select * from public.guest_sessions', true, false, ''))::text ~ 'email' as seen from (values (1)) v where query_to_xml('select * from public.guest_sessions', true, false, '')::text ~ 'email'`,
      ]
      for (const sql of reads) expect((await ask(attacker, sql)).rows, sql).toEqual([])

      const refused = [
        `update public.guest_sessions set phone = phone returning *`,
        `update public.guest_sessions set phone = '1'`,
        'delete from public.guest_sessions returning *',
        'select * from public.guest_sessions for update',
        'select * from public.guest_sessions for key share',
        'truncate public.guest_sessions',
        'lock public.guest_sessions in access exclusive mode',
        `insert into public.guest_sessions (session_token, email, full_name) values ('${victim.token}', 'x@y.co', 'X')
         on conflict (session_token) do update set full_name = excluded.full_name returning *`,
        `merge into public.guest_sessions g using (values (1)) v on true when matched then update set phone = '1'`,
        `select * from marketplace_internal.live_guest_session('${victim.token}')`,
        'select marketplace_internal.guest_session_of_request()',
        'create table public.copy as select * from public.guest_sessions',
        'alter table public.guest_sessions disable row level security',
        'create policy p on public.guest_sessions for select using (true)',
        'select public.cleanup_expired_guest_sessions()',
      ]
      for (const sql of refused) expect(await sqlstate(ask(attacker, sql)), sql).toBe('42501')
    })

    it('with a function of their own in the condition: it sees no row before the policy does', async () => {
      const seen: string[] = []
      const client = await database.superuser.connect()
      client.on('notice', (notice) => seen.push(notice.message ?? ''))
      try {
        await client.query('begin; set local role anon')
        await client.query(`create function pg_temp.tell(text) returns boolean language plpgsql cost 0.0001 as
          $f$ begin raise notice 'saw %', $1; return true; end $f$`)
        await client.query('select * from public.guest_sessions where pg_temp.tell(email)')
        await client.query('explain analyze select * from public.guest_sessions where pg_temp.tell(session_token)')
      } finally {
        await client.query('rollback')
        client.removeAllListeners('notice').release()
      }
      expect(seen).toEqual([])
    })

    it('by setting what the trigger sets, for the id of another', async () => {
      const set = `select set_config('marketplace.new_guest_session', '${victim.id}', true)`
      const rows = await asCaller(database.superuser, { role: 'anon' }, async (run) => {
        await run(set)
        return (await run('select * from public.guest_sessions')).rows
      })
      expect(rows).toEqual([])
    })

    it('by EXPLAIN, which says the same of a token that is there and one that is not', async () => {
      const explain = async (token: string) =>
        (
          await ask({ role: 'anon' }, `explain select * from public.guest_sessions where session_token = '${token}'`)
        ).rows.map((row) => String(Object.values(row)[0]).replaceAll(token, '…'))
      expect(await explain(victim.token)).toEqual(await explain('x'.repeat(victim.token.length)))
    })

    it('by many: whoever asks reads by the primary key, however many guests there are', async () => {
      await database.superuser.query(
        `insert into guest_sessions (session_token, email, full_name)
         select gen_random_uuid()::text, n || '@example.org', 'N' from generate_series(1, 3000) n`,
      )
      await database.superuser.query('analyze guest_sessions')
      const { rows } = await ask(withToken(victim.token), 'explain (format json) select * from public.guest_sessions')
      const plan = JSON.stringify(rows)
      expect(plan).toContain('guest_sessions_pkey')
      expect(plan).not.toContain('Seq Scan')
    })

    it('by error text: a token that is taken names nothing but itself', async () => {
      const failed = ask({ role: 'anon' }, INSERT, [victim.token, 'x@y.co'])
      await expect(failed).rejects.toMatchObject({ code: '23505', constraint: 'guest_sessions_session_token_key' })
      const error = await failed.catch((caught: { message: string; detail?: string }) => caught)
      expect(JSON.stringify(error)).not.toContain(victim.email)
    })
  })

  it('are passed over by the cleanup while somebody is booking, which waits for nothing', async () => {
    const { superuser } = database
    const token = newToken()
    await ask({ role: 'anon' }, INSERT, [token, 'late@example.com'])
    await superuser.query(`update guest_sessions set expires_at = now() - interval '1 s' where session_token = $1`, [
      token,
    ])
    const client = await superuser.connect()
    try {
      await client.query('begin')
      await client.query(
        'insert into bookings (guest_session_id) select id from guest_sessions where session_token = $1',
        [token],
      )
      await asCaller(superuser, { role: 'service_role' }, async (run) => {
        await run(`set local lock_timeout = '1s'`)
        await run('select public.cleanup_expired_guest_sessions()')
      })
      await client.query('commit')
    } finally {
      client.release()
    }
    expect((await superuser.query('select from guest_sessions where session_token = $1', [token])).rowCount).toBe(1)
    await superuser.query('delete from bookings')
  })

  it('end with the daily cleanup, but for those with a booking and the one of nobody', async () => {
    const { superuser } = database
    await makeNobody(superuser)
    const booked = newToken()
    await ask({ role: 'anon' }, INSERT, [booked, 'booked@example.com'])
    await ask(
      withToken(booked),
      `insert into public.bookings (guest_session_id, service) select id, 'cleaning' from public.guest_sessions`,
    )
    await ask({ role: 'anon' }, INSERT, [newToken(), 'gone@example.com'])
    const { rows: before } = await superuser.query(
      `select count(*)::int as n from guest_sessions where expires_at > now()`,
    )
    await superuser.query(
      `update guest_sessions set expires_at = now() - interval '1 s' where email in ('gone@example.com', 'booked@example.com')`,
    )
    await ask({ role: 'service_role' }, 'select public.cleanup_expired_guest_sessions()')
    const { rows } = await superuser.query(`select email from guest_sessions where expires_at < now() order by 1`)
    expect(rows).toEqual([{ email: 'booked@example.com' }, { email: 'forgotten@example.invalid' }])
    const { rows: after } = await superuser.query(
      `select count(*)::int as n from guest_sessions where expires_at > now()`,
    )
    expect(after[0].n).toBe(before[0].n - 2)
  })

  it('that a table of the platform’s refers to stay, and keep back none of the others', async () => {
    const { superuser } = database
    const expire = async (email: string) => {
      const { rows } = await superuser.query<{ id: string }>(
        `insert into guest_sessions (session_token, email, full_name, expires_at) values ($1, $2, 'A', now() - interval '1 s') returning id`,
        [newToken(), email],
      )
      return rows[0]!.id
    }
    const [held] = [await expire('held@example.com'), await expire('free@example.com')]
    await superuser.query('create table public.guest_notes (guest uuid references public.guest_sessions (id))')
    await superuser.query('insert into public.guest_notes values ($1)', [held])
    const { rows } = await superuser.query(
      'select marketplace_internal.cleanup_expired_guest_sessions()::int as removed',
    )
    expect(rows).toEqual([{ removed: 1 }])
    expect((await superuser.query('select from guest_sessions where id = $1', [held])).rowCount).toBe(1)
    await superuser.query('drop table public.guest_notes')
  })

  it('that ended more than 400 days ago leave their bookings to nobody, without what was the guest’s', async () => {
    const { superuser } = database
    const book = async (days: number) => {
      const { rows } = await superuser.query<{ id: string }>(
        `with guest as (
           insert into guest_sessions (session_token, email, full_name, expires_at, created_at)
           values ($1, 'old@example.com', 'Old', now() - $2::int * interval '1 day', now() - interval '2 years') returning id)
         insert into bookings (guest_session_id, service, notes) select id, 'cleaning', 'Calle 1' from guest returning id`,
        [newToken(), days],
      )
      return rows[0]!.id
    }
    const [long, lately] = [await book(401), await book(399)]
    // Of an account, with the guest written beside it.
    await superuser.query(
      `insert into bookings (customer_id, guest_session_id, notes) select $1, guest_session_id, 'mine' from bookings where id = $2`,
      [user, long],
    )
    await ask({ role: 'service_role' }, 'select public.cleanup_expired_guest_sessions()')
    const { rows } = await superuser.query(
      `select b.id, g.email, b.notes, b.service from bookings b join guest_sessions g on g.id = b.guest_session_id where b.id in ($1, $2)`,
      [long, lately],
    )
    expect(rows.sort((a) => (a.id === long ? -1 : 1))).toEqual([
      { id: long, email: 'forgotten@example.invalid', notes: null, service: 'cleaning' },
      { id: lately, email: 'old@example.com', notes: 'Calle 1', service: 'cleaning' },
    ])
    const { rows: own } = await superuser.query('select guest_session_id, notes from bookings where customer_id = $1', [
      user,
    ])
    expect(own).toEqual([{ guest_session_id: null, notes: 'mine' }])
    expect((await superuser.query(`select from guest_sessions where email = 'old@example.com'`)).rowCount).toBe(1)
    await superuser.query('delete from bookings')
  })
})
