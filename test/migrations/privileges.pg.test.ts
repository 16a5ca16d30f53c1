import type { Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AskAs, asCaller, type Caller, sqlstate } from '../support/callers.ts'
import { EACH_KIND, startMigrated } from '../support/grounds.ts'

const PERSON = '10000000-0000-4000-8000-000000000001'

// Everything is tried, and what does not end with "permission denied" is listed here.
const ALLOWED = {
  anon: ['insert public.platform_events'],
  // A select that row security leaves empty: its policy admits admins alone.
  authenticated: ['insert public.platform_events', 'select public.platform_events'],
}

describe.each(EACH_KIND)('privileges on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }

  beforeAll(async () => {
    database = await startMigrated(ground)
    await database.superuser.query(`insert into auth.users (id) values ($1)`, [PERSON])
    await database.superuser.query(`insert into public.platform_events (event_type) values ('A')`)
  })
  afterAll(async () => {
    await database.stop()
  })

  it.each([{ role: 'anon' }, { role: 'authenticated', userId: PERSON }] as const)(
    'let $role do what is expected and nothing else, tried on every relation and function',
    async (caller) => {
      const attempts = [
        ...(await relationAttempts(database.superuser)),
        ...(await functionAttempts(database.superuser)),
      ]
      expect(attempts.length).toBeGreaterThan(100)
      const allowed = await asCaller(database.superuser, caller, (ask) => tryAll(ask, attempts))
      expect(allowed).toEqual(ALLOWED[caller.role])
    },
  )

  it('show a plain user no event', async () => {
    const { rows } = await asCaller(database.superuser, { role: 'authenticated', userId: PERSON }, (ask) =>
      ask('select * from public.platform_events'),
    )
    expect(rows).toEqual([])
  })

  it('let nobody truncate over the API', async () => {
    for (const role of ['anon', 'authenticated', 'service_role'] as const) {
      const attempt = asCaller(database.superuser, { role }, (ask) => ask('truncate public.platform_events'))
      expect(await sqlstate(attempt), role).toBe('42501')
    }
  })

  it.each([
    { who: 'a guest', caller: { role: 'anon' }, state: '42501' },
    { who: 'a plain user', caller: { role: 'authenticated', userId: PERSON }, state: '42501' },
    { who: 'the service role', caller: { role: 'service_role' }, state: '' },
  ] satisfies { who: string; caller: Caller; state: string }[])(
    'answer $who on analytics with "$state"',
    async ({ caller, state }) => {
      for (const call of [
        'get_event_counts_by_type()',
        'get_conversion_funnel()',
        `conversion_funnel('["A", "A"]', now() - interval '1 day', now())`,
        `funnel_times('{"steps": ["A", "A"]}')`,
        `funnel_trend('{"steps": ["A", "A"]}')`,
        `funnel_lift('{"steps": ["A", "A"]}', 1, 'city')`,
        `funnel_actors('{"steps": ["A", "A"]}', 1, 'dropped')`,
        `explain_actor('{"steps": ["A", "A"]}', 'session:s')`,
      ]) {
        const attempt = asCaller(database.superuser, caller, (ask) => ask(`select * from public.${call}`))
        expect(await sqlstate(attempt), call).toBe(state)
      }
    },
  )

  it('let an admin read, also in a read-only transaction as PostgREST runs them', async () => {
    const admin = '10000000-0000-4000-8000-000000000002'
    await database.superuser.query(`insert into auth.users (id) values ($1)`, [admin])
    await database.superuser.query(`insert into public.profiles (id, role) values ($1, 'admin')`, [admin])
    await asCaller(database.superuser, { role: 'authenticated', userId: admin }, async (ask) => {
      await ask('set transaction read only')
      expect((await ask('select event_type from public.platform_events')).rows).toEqual([{ event_type: 'A' }])
      expect((await ask('select * from public.get_event_counts_by_type()')).rows).toEqual([
        { event_type: 'A', event_count: '1' },
      ])
      expect((await ask('select * from public.get_conversion_funnel()')).rows).toHaveLength(4)
    })
  })

  it('let the service role do everything with rows, and clean up', async () => {
    await asCaller(database.superuser, { role: 'service_role' }, async (ask) => {
      await ask(`insert into public.platform_events (event_type, source_id, user_id) values ('S', 3, $1)`, [PERSON])
      expect((await ask(`update public.platform_events set event_type = 'T' where event_type = 'S'`)).rowCount).toBe(1)
      expect((await ask(`select from public.platform_events where event_type = 'T'`)).rowCount).toBe(1)
      expect((await ask(`delete from public.platform_events where event_type = 'T'`)).rowCount).toBe(1)
      await ask('select public.cleanup_old_platform_events()')
    })
  })

  it('pin the search path of every function', async () => {
    const { rows } = await database.superuser.query(
      `select proname from pg_proc p
       where (pronamespace = 'events_internal'::regnamespace or pg_get_userbyid(proowner) = 'events_owner')
         and not exists (select from unnest(p.proconfig) setting where setting like 'search_path=%')`,
    )
    expect(rows).toEqual([])
  })

  it('put no definer function where the API looks', async () => {
    const { rows } = await database.superuser.query(
      `select proname from pg_proc where pronamespace = 'public'::regnamespace and prosecdef`,
    )
    expect(rows).toEqual([])
  })
})

interface Attempt {
  name: string
  sql: string
}

/** Every verb on every relation of ours, partitions included. */
async function relationAttempts(pool: Pool): Promise<Attempt[]> {
  const { rows } = await pool.query<{ name: string; relkind: string; first: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name, c.relkind,
            (select attname from pg_attribute where attrelid = c.oid and attnum = 1) as first
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where (n.nspname = 'events_internal' or pg_get_userbyid(c.relowner) = 'events_owner')
       and c.relkind in ('r', 'p', 'v', 'm', 'S') order by 1`,
  )
  return rows.flatMap(({ name, relkind, first }) => {
    if (relkind === 'S') {
      return [
        { name: `nextval ${name}`, sql: `select nextval('${name}')` },
        { name: `select ${name}`, sql: `select * from ${name}` },
      ]
    }
    return [
      { name: `insert ${name}`, sql: `insert into ${name} default values` },
      { name: `select ${name}`, sql: `select 1 from ${name}` },
      { name: `lock ${name}`, sql: `select ${first} from ${name} for update` },
      { name: `update ${name}`, sql: `update ${name} set "${first}" = default` },
      { name: `delete ${name}`, sql: `delete from ${name}` },
      { name: `truncate ${name}`, sql: `truncate ${name}` },
    ]
  })
}

/** A call of every function of ours with nulls. */
async function functionAttempts(pool: Pool): Promise<Attempt[]> {
  const { rows } = await pool.query<{ name: string; types: string[] }>(
    `select format('%I.%I', n.nspname, p.proname) as name,
            array(select format_type(t, null) from unnest(p.proargtypes::oid[]) with ordinality a(t, i) order by i) as types
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where (n.nspname = 'events_internal' or pg_get_userbyid(p.proowner) = 'events_owner')
       and p.prorettype <> 'trigger'::regtype order by 1`,
  )
  return rows.map(({ name, types }) => ({
    name: `call ${name}`,
    sql: `select * from ${name}(${types.map((type) => `null::${type}`).join(', ')})`,
  }))
}

async function tryAll(ask: AskAs, attempts: Attempt[]): Promise<string[]> {
  const allowed: string[] = []
  for (const attempt of attempts) {
    await ask('savepoint attempt')
    const state = await sqlstate(ask(attempt.sql))
    await ask('rollback to savepoint attempt')
    if (state !== '42501') allowed.push(attempt.name)
  }
  return allowed
}
