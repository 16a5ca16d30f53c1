import { randomUUID } from 'node:crypto'
import type { Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asCaller, type Caller, sqlstate } from '../support/callers.ts'
import { EACH_KIND, startMigrated } from '../support/grounds.ts'
import { rollupDifferences } from '../support/stored.ts'

describe.each(EACH_KIND)('what the customer does with the table, on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }
  const ana = randomUUID()
  const ben = randomUUID()
  const guest: Caller = { role: 'anon' }
  const signedIn: Caller = { role: 'authenticated', userId: ana }

  beforeAll(async () => {
    database = await startMigrated(ground)
    await database.superuser.query('insert into auth.users (id) values ($1), ($2)', [ana, ben])
  })
  afterAll(async () => {
    await database.stop()
  })

  /** As supabase-js sends `insert([{ event_type, user_id, session_id, properties }])`: PostgREST adds `returning 1`. */
  const insert = (caller: Caller, event: { user_id: string | null; session_id: string | null; event_type?: string }) =>
    asCaller(database.superuser, caller, (ask) =>
      ask(
        `insert into public.platform_events (event_type, user_id, session_id, properties)
         select event_type, user_id, session_id, properties
         from json_to_recordset($1) as body (event_type text, user_id uuid, session_id text, properties jsonb) returning 1`,
        [JSON.stringify([{ event_type: 'SearchStarted', properties: { pro_id: 'p1', city: 'Bogotá' }, ...event }])],
      ),
    )

  it('takes events of nobody from guests and users, and their own from users', async () => {
    await insert(guest, { user_id: null, session_id: 's-guest' })
    await insert(signedIn, { user_id: null, session_id: 's-ana' })
    await insert(signedIn, { user_id: ana, session_id: 's-ana' })
    await insert({ role: 'service_role' }, { user_id: ben, session_id: null })
  })

  it('refuses events of somebody else', async () => {
    expect(await sqlstate(insert(guest, { user_id: ana, session_id: 's' }))).toBe('42501')
    expect(await sqlstate(insert(signedIn, { user_id: ben, session_id: 's' }))).toBe('42501')
    expect(await sqlstate(insert({ role: 'authenticated' }, { user_id: ben, session_id: 's' }))).toBe('42501')
  })

  it('takes properties that are null, as the column always did', async () => {
    await asCaller(database.superuser, guest, (ask) =>
      ask(`insert into public.platform_events (event_type, session_id, properties) values ('A', 's-null', null)`),
    )
  })

  it.each(['source_id', 'actor_key', 'received_at', 'raw_created_at', 'stream', 'seq'])(
    'refuses %s from the API roles',
    async (column) => {
      for (const caller of [guest, signedIn]) {
        const attempt = asCaller(database.superuser, caller, (ask) =>
          ask(`insert into public.platform_events (event_type, ${column}) values ('A', null)`),
        )
        expect(await sqlstate(attempt)).toBe('42501')
      }
    },
  )

  it('takes an id and a time of the sender, twice without harm', async () => {
    const insertTwice = (caller: Caller) =>
      asCaller(database.superuser, caller, (ask) =>
        ask(
          `insert into public.platform_events (id, event_type, created_at)
           values ('${caller.userId ?? randomUUID()}', 'Timed', date_trunc('hour', now()) - interval '25 hours')
           on conflict do nothing`,
        ),
      )
    expect((await insertTwice(signedIn)).rowCount).toBe(1)
    expect((await insertTwice(signedIn)).rowCount).toBe(0)
    expect(await rollupDifferences(database.superuser)).toEqual([])
  })

  it('says clearly that no partition takes a time', async () => {
    const attempt = asCaller(database.superuser, guest, (ask) =>
      ask(`insert into public.platform_events (event_type, created_at) values ('A', now() - interval '2 years')`),
    )
    await expect(attempt).rejects.toMatchObject({
      code: '23514',
      message: 'no partition of relation "platform_events" found for row',
    })
  })

  it('gives the row its actor, its place in the rollup and its session', async () => {
    const session = randomUUID()
    await insert(guest, { user_id: null, session_id: session })
    await insert(signedIn, { user_id: ana, session_id: session })
    const { rows } = await database.superuser.query(
      `select user_id, actor_key = events_internal.actor_key(user_id, session_id) as keyed
       from public.platform_events where session_id = $1 order by created_at, id`,
      [session],
    )
    expect(rows).toEqual([
      { user_id: null, keyed: true },
      { user_id: ana, keyed: true },
    ])
    const sessions = await database.superuser.query(
      `select user_id, session_key = events_internal.actor_key(null, session_id) as session_keyed,
              user_key = events_internal.actor_key(user_id, null) as user_keyed
       from events_internal.session_users where session_id = $1`,
      [session],
    )
    expect(sessions.rows).toEqual([{ user_id: ana, session_keyed: true, user_keyed: true }])
    expect(await rollupDifferences(database.superuser)).toEqual([])
  })

  it('gives a session to the user of its earliest event, whatever comes first', async () => {
    const session = randomUUID()
    for (const [user, minutes] of [
      [ana, 10],
      [ben, 20],
      [ana, 5],
    ]) {
      await database.superuser.query(
        `insert into public.platform_events (event_type, user_id, session_id, created_at)
         values ('A', $1, $2, now() - make_interval(mins => $3))`,
        [user, session, minutes],
      )
    }
    const { rows } = await database.superuser.query(
      'select user_id from events_internal.session_users where session_id = $1',
      [session],
    )
    expect(rows).toEqual([{ user_id: ben }])
  })

  it('lets batches with the same types in another order pass each other', async () => {
    const clients = await Promise.all([database.superuser.connect(), database.superuser.connect()])
    const insertOne = (client: (typeof clients)[number], type: string) =>
      client.query('insert into public.platform_events (event_type) values ($1)', [type])
    try {
      for (const client of clients) await client.query(`begin; set local lock_timeout = '5s'`)
      await insertOne(clients[0]!, 'X')
      await insertOne(clients[1]!, 'Y')
      await Promise.all([insertOne(clients[0]!, 'Y'), insertOne(clients[1]!, 'X')])
      for (const client of clients) await client.query('commit')
    } finally {
      for (const client of clients) client.release(true)
    }
    expect(await rollupDifferences(database.superuser)).toEqual([])
  })

  it('counts corrected and deleted rows right', async () => {
    const session = randomUUID()
    const query = (sql: string) => database.superuser.query(sql, [session])
    await query(`insert into public.platform_events (event_type, session_id, source_id, created_at)
                 select 'Mistaken', $1, 0, date_trunc('day', now(), 'UTC') + n * interval '7 minutes' from generate_series(1, 20) n`)
    await query(`update public.platform_events set event_type = 'Right' where session_id = $1`)
    expect(await rollupDifferences(database.superuser)).toEqual([])
    await query(`update public.platform_events set created_at = created_at + interval '1 hour' where session_id = $1`)
    expect(await rollupDifferences(database.superuser)).toEqual([])
    await query(`delete from public.platform_events where session_id = $1`)
    expect(await rollupDifferences(database.superuser)).toEqual([])
  })

  it('keeps actor_key right when a row changes hands, and does not move rows between days', async () => {
    const session = randomUUID()
    await insert(guest, { user_id: null, session_id: session })
    await database.superuser.query('update public.platform_events set user_id = $1 where session_id = $2', [
      ben,
      session,
    ])
    const { rows } = await database.superuser.query(
      'select actor_key = events_internal.actor_key($1, null) as keyed from public.platform_events where session_id = $2',
      [ben, session],
    )
    expect(rows).toEqual([{ keyed: true }])
    const move = database.superuser.query(
      `update public.platform_events set created_at = created_at - interval '1 day' where session_id = $1`,
      [session],
    )
    expect(await sqlstate(move)).toBe('0A000')
  })
})
