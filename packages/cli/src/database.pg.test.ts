import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'

const BIN = fileURLToPath(new URL('../bin/platform-events.mjs', import.meta.url))

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

/** The program as people run it: a process of its own. */
async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, DATABASE_URL: database.connectionString }
  const done = await promisify(execFile)(process.execPath, [BIN, ...args], { env }).catch((error) => error)
  return { code: done.code ?? 0, stdout: done.stdout, stderr: done.stderr }
}

it('asks Postgres, and writes only when told to', async () => {
  expect((await run('sql', '--json', `select 1 as a, null as b, '{"c":1}'::jsonb as j`)).stdout).toBe(
    '[{"a":1,"b":null,"j":{"c":1}}]\n',
  )
  expect((await run('sql', 'select 1 as a; select 2 as b')).stdout).toMatch(/a\n─\n1\n\(1 rows\)\nb\n─\n2/)
  const insert = `insert into public.platform_events (event_type) values ('A')`
  expect(await run('sql', insert)).toMatchObject({ code: 1, stderr: expect.stringContaining('--write') })
  expect(await run('sql', '--write', insert)).toMatchObject({ code: 0, stdout: 'INSERT 1\n' })
  expect(await run('sql', 'selekt')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^platform-events: 42601 /),
  })
})

it('migrates, and finds nothing to do', async () => {
  expect(await run('migrate')).toMatchObject({ code: 0, stdout: 'Up to date.\n' })
  expect((await run('migrate', '--json')).stdout).toBe('{"applied":[]}\n')
})

it('runs retention once, and says by its exit code what was not done', async () => {
  const report = await run('retention', '--json')
  expect(report.code, report.stderr).toBe(0)
  expect(JSON.parse(report.stdout)).toMatchObject({ problems: [] })
  expect(await run('retention', '--verify-segments')).toMatchObject({
    code: 0,
    stdout: '7 of 7 segments are what their rows make.\n',
  })
  const other = await database.pool.connect()
  await other.query('select pg_advisory_lock(8098984449828741481)')
  expect(await run('retention')).toMatchObject({ code: 1, stdout: expect.stringContaining('NOT DONE  lock') })
  other.release(true)
})

it('imports the rows of a table that was there before, says what stays, and finds nothing more to do', async () => {
  expect(await run('import')).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing to import') })
  await database.pool.query(
    `create table events_internal.platform_events_before
       (id uuid primary key default gen_random_uuid(), event_type text, user_id uuid, session_id text, properties jsonb, created_at timestamptz);
     insert into events_internal.platform_events_before (event_type, created_at)
     select 'Before', now() - make_interval(days => n) from generate_series(1, 100) n`,
  )
  expect(await run('migrate')).toMatchObject({ code: 0, stdout: expect.stringContaining('npx platform-events import') })
  expect(await run('import', '--batch', '0')).toMatchObject({ code: 1, stderr: expect.stringContaining('--batch') })
  const { code, stdout } = await run('import')
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(
      /^90 events are copied\.\nThese .*platform_events_before alone:\n {2}10 older than 90 days\n$/,
    ),
  })
  expect(JSON.parse((await run('import', '--json')).stdout)).toEqual({
    copied: 90,
    to_do: 0,
    too_old: 10,
    in_future: 0,
    unfit: 0,
  })
  const { rows } = await database.pool.query(
    `select count(*)::int as n from public.platform_events where event_type = 'Before'`,
  )
  expect(rows).toEqual([{ n: 90 }])
})
