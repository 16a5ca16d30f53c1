import { randomUUID } from 'node:crypto'
import type { Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EACH_KIND, startMigrated } from '../support/grounds.ts'

describe.each(EACH_KIND)('deleting a user on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }
  const ana = randomUUID()
  const ben = randomUUID()

  beforeAll(async () => {
    database = await startMigrated(ground)
    const { superuser } = database
    await superuser.query('insert into auth.users (id) values ($1), ($2)', [ana, ben])
    for (const [user, session, source] of [
      [ana, 'ana-1', 0],
      [ana, null, 0],
      [ana, 'ana-1', 2],
      [ben, 'ben-1', 0],
    ] as const) {
      await insertEvent(user, session, source)
    }
  })
  afterAll(async () => {
    await database.stop()
  })

  const insertEvent = (user: string, session: string | null, source: number) =>
    database.superuser.query(
      `insert into public.platform_events (event_type, user_id, session_id, source_id, actor_key)
       values ('A', $1, $2, $3, events_internal.actor_key($1, $2))`,
      [user, session, source],
    )

  const events = async () =>
    (
      await database.superuser.query(
        `select session_id, user_id is null as anonymous,
                actor_key is not distinct from events_internal.actor_key(user_id, session_id) as keyed, count(*)::int as n
         from public.platform_events group by 1, 2, 3 order by 1`,
      )
    ).rows
  const sessions = async () =>
    (await database.superuser.query('select session_id from events_internal.session_users order by 1')).rows

  /** As Supabase's Auth, where there is one: it owns auth.users and has no right on our tables. */
  const asAuth = async (sql: string, values: unknown[]) => {
    const client = await database.superuser.connect()
    try {
      if (ground.kind.startsWith('supabase')) await client.query('set role supabase_auth_admin')
      await client.query(sql, values)
    } finally {
      client.release(true)
    }
  }

  it('anonymises nothing when something else about the user changes', async () => {
    await asAuth('update auth.users set email = null, deleted_at = null where id = $1', [ana])
    expect((await events()).some((event) => event.anonymous)).toBe(false)
  })

  it('anonymises their events when it is soft', async () => {
    await asAuth('update auth.users set deleted_at = now() where id = $1', [ana])
    expect(await events()).toEqual([
      { session_id: 'ana-1', anonymous: true, keyed: true, n: 2 },
      { session_id: 'ben-1', anonymous: false, keyed: true, n: 1 },
      { session_id: null, anonymous: true, keyed: true, n: 1 },
    ])
    expect(await sessions()).toEqual([{ session_id: 'ben-1' }])
  })

  it('anonymises their events when it is hard', async () => {
    await asAuth('delete from auth.users where id = $1', [ben])
    expect((await events()).every((event) => event.anonymous && event.keyed)).toBe(true)
    expect(await sessions()).toEqual([])
  })

  it('anonymises what comes in after the deletion, but not of somebody who is there again', async () => {
    const { superuser } = database
    const back = randomUUID()
    await superuser.query('insert into auth.users (id) values ($1)', [back])
    await asAuth('delete from auth.users where id = $1', [back])
    await superuser.query('insert into auth.users (id) values ($1)', [back])
    await insertEvent(ana, 'ana-late', 2)
    await insertEvent(back, 'back', 2)
    await insertEvent(randomUUID(), 'unknown', 2)
    const { rows } = await superuser.query('select events_internal.anonymise_late_events() as users')
    expect(rows).toEqual([{ users: 1 }])
    expect((await events()).filter(({ session_id }) => /late|back|unknown/.test(session_id ?? ''))).toEqual([
      { session_id: 'ana-late', anonymous: true, keyed: true, n: 1 },
      { session_id: 'back', anonymous: false, keyed: true, n: 1 },
      { session_id: 'unknown', anonymous: false, keyed: true, n: 1 },
    ])
  })

  it('gives a shared session to its next user', async () => {
    const [first, second] = [randomUUID(), randomUUID()]
    await database.superuser.query('insert into auth.users (id) values ($1), ($2)', [first, second])
    for (const user of [first, second, first]) await insertEvent(user, 'shared', 0)
    await asAuth('delete from auth.users where id = $1', [first])
    const { rows } = await database.superuser.query(
      `select s.user_id, user_key = events_internal.actor_key(s.user_id, null) as user_keyed,
              session_key = events_internal.actor_key(null, session_id) as session_keyed,
              (first_created_at, first_id) = (
                select e.created_at, e.id from public.platform_events e where e.user_id = s.user_id
              ) as first
       from events_internal.session_users s where session_id = 'shared'`,
    )
    expect(rows).toEqual([{ user_id: second, user_keyed: true, session_keyed: true, first: true }])
  })
})
