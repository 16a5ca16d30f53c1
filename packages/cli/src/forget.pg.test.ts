import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { runCli } from './run.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const code = await runCli(args, {
    env: { DATABASE_URL: database.connectionString },
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    columns: 120,
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

it('says what forgetting would do, does it when told to, and whom it does not know', async () => {
  const user = randomUUID()
  await database.pool.query(
    `insert into public.platform_events (event_type, user_id, session_id) values ('A', $1, 's'), ('A', null, 's')`,
    [user],
  )
  const known = async () =>
    (await database.pool.query('select from public.platform_events where session_id is not null')).rowCount
  const told = await run('forget', `user:${user}`)
  expect(told).toMatchObject({
    code: 0,
    out: expect.stringMatching(/public\.platform_events +emptied +2\n[\s\S]*--yes/),
  })
  expect(await known()).toBe(2)
  const done = JSON.parse((await run('forget', `user:${user}`, '--yes', '--json')).out)
  expect(done).toMatchObject({
    forgotten: true,
    places: expect.arrayContaining([{ place: 'public.platform_events', action: 'emptied', n: 2 }]),
  })
  expect(await known()).toBe(0)
  expect(await run('forget', user)).toMatchObject({ code: 1, err: expect.stringMatching(/22023[\s\S]*user:<uuid>/) })
  expect(await run('forget')).toMatchObject({ code: 1, err: expect.stringContaining('Whom?') })
})
