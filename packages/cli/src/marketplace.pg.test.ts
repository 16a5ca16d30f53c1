import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { runCli } from './run.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', '']
  const code = await runCli(['marketplace', ...args], {
    env: { DATABASE_URL: database.connectionString },
    out: (text) => {
      stdout += text
    },
    err: (text) => {
      stderr += text
    },
    columns: 80,
    signal: new AbortController().signal,
  })
  return { code, stdout, stderr }
}

it('needs the platform tables, makes them for development, and finds nothing to do after that', async () => {
  expect(await run('migrate')).toMatchObject({ code: 1, stderr: expect.stringContaining('--development') })
  expect(await run('migrate', '--development')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Applied .*\d\.\n$/),
  })
  expect(await run('migrate')).toMatchObject({ code: 0, stdout: 'Up to date.\n' })
  expect((await run('migrate', '--json')).stdout).toBe('{"applied":[]}\n')
})

it('takes back the last file, or all after a number; refuses where rows would be lost, unless forced', async () => {
  const last = await run('rollback')
  expect(last.stderr).toBe('')
  expect(last).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Took back \d+\.\n$/) })
  const user = `with u as (insert into auth.users (id) values (gen_random_uuid()) returning id)`
  await database.pool.query(`${user} insert into public.amara_conversations (user_id) select id from u`)
  expect(await run('rollback', '--to', '1')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/0002_amara\.sql failed.*public\.amara_conversations holds 1 rows\. With --force/),
  })
  expect(await run('rollback', '--to', '0', '--force')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Took back 11, .*2, 1\.\n$/),
  })
  expect(await run('rollback', '--to', '0', '--json')).toMatchObject({ code: 0, stdout: '{"rolledBack":[]}\n' })
  const { rows } = await database.pool.query(
    `select (xpath('/row/c/text()', query_to_xml(format('select count(*) as c from %s', oid::regclass), false, true, '')))[1]::text as n
     from pg_class where relnamespace = to_regnamespace('marketplace_archive') and relkind = 'r'`,
  )
  expect(rows).toEqual([{ n: '1' }])
})

it('says what it does not understand', async () => {
  expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining('marketplace migrate') })
  expect(await run('undo')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no "marketplace undo"'),
  })
  expect(await run('rollback', '--to', 'all')).toMatchObject({ code: 1, stderr: expect.stringContaining('--to 0') })
  await database.pool.query('drop schema events_internal cascade')
  expect(await run('migrate')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('npx platform-events migrate'),
  })
})
