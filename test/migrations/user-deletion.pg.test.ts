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
    ]) {
      await superuser.query(
        `insert into public.platform_events (event_type, user_id, session_id, source_id, actor_key)
         values ('A', $1, $2, $3, events_internal.actor_key($1, $2))`,
        [user, session, source],
      )
    }
  })
  afterAll(async () => {
    await database.stop()
  })

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
})
