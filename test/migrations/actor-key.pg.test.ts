import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ActorKeys, actorKey } from '../../services/consumer/src/actor-key.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

describe('actor_key', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createTestDatabase()
  })
  afterAll(async () => {
    await database.drop()
  })

  it('is the same in SQL and in TypeScript', async () => {
    const actors = fc.sample(
      fc.record({
        user: fc.option(fc.uuid()),
        // What Postgres takes as text: no NUL, no lone surrogates.
        session: fc.option(fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.replaceAll('\0', ''))),
      }),
      { numRuns: 2000, seed: 1 },
    )
    actors.push({ user: null, session: '' }, { user: null, session: 'año 🎉' }, { user: null, session: null })
    const { rows } = await database.pool.query<{ key: string | null }>(
      `select events_internal.actor_key(u, s)::text as key
       from unnest($1::uuid[], $2::text[]) with ordinality a (u, s, n) order by n`,
      [actors.map((actor) => actor.user), actors.map((actor) => actor.session)],
    )
    const keys = rows.map(({ key }) => (key === null ? null : BigInt(key)))
    const remembering = new ActorKeys(100)
    expect(keys).toEqual(actors.map(({ user, session }) => actorKey(user, session)))
    expect(keys).toEqual(actors.map(({ user, session }) => remembering.of(user, session)))
  })

  it('takes the user before the session, and is null without both', async () => {
    const { rows } = await database.pool.query(
      `select events_internal.actor_key(u, 's') = events_internal.actor_key(u, null) as user_wins,
              events_internal.actor_key(null, null) is null as nobody
       from (select gen_random_uuid() as u) x`,
    )
    expect(rows).toEqual([{ user_wins: true, nobody: true }])
  })
})
