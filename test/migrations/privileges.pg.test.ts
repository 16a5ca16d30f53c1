import type { Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { functionAttempts, relationAttempts, tryAll } from '../support/attempts.ts'
import { asCaller, type Caller, sqlstate } from '../support/callers.ts'
import { EACH_KIND, startMigrated } from '../support/grounds.ts'

const OURS = { schema: 'events_internal', owner: 'events_owner' }
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
        ...(await relationAttempts(database.superuser, OURS)),
        ...(await functionAttempts(database.superuser, OURS)),
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
