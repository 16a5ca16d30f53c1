import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { migrateMarketplace, rollbackMarketplace } from './marketplace.ts'

let database: TestDatabase
let directory: string

beforeEach(async () => {
  database = await createTestDatabase()
  directory = await mkdtemp(join(tmpdir(), 'marketplace-'))
  await mkdir(join(directory, 'rollback'))
})
afterEach(async () => {
  await database.drop()
  await rm(directory, { recursive: true })
})

/** A file, and what takes it back unless told that there is none. */
async function file(name: string, up: string, down: string | null = ''): Promise<void> {
  await writeFile(join(directory, name), up)
  if (down !== null) await writeFile(join(directory, 'rollback', name), down)
}

const up = async (options: object = {}) =>
  (await migrateMarketplace(database.connectionString, { directory, ...options })).applied
const down = async (options: object = {}) =>
  (await rollbackMarketplace(database.connectionString, { directory, ...options })).rolledBack

it('applies each file in a transaction of its own, also one that comes late, or after one that fails', async () => {
  await file('0001_first.sql', 'create table public.first (n int)')
  await file('0005_bad.sql', 'create table public.bad (n int); select 1 / 0')
  await file('0006_next.sql', 'create table public.next (n int)')
  await expect(up()).rejects.toThrow(
    '0005_bad.sql failed (SQLSTATE 22012): division by zero\nApplied all the same: 1, 6.',
  )
  await file('0005_bad.sql', 'create table public.bad (n int)')
  expect(await up()).toEqual([5])
  await file('0003_late.sql', 'create table public.late (n int)')
  expect(await up()).toEqual([3])
  expect(await up()).toEqual([])
})

it('needs the analytics core first', async () => {
  await file('0001_first.sql', '')
  await database.pool.query('alter table public.platform_events rename to events_of_others')
  await expect(up()).rejects.toThrow('First: npx platform-events migrate')
})

it('tells the files what was asked, and leaves nothing of it in a session that lives on', async () => {
  const asked = `select current_setting('marketplace.development', true), current_setting('marketplace.force', true)`
  await file('0001_first.sql', `create table public.asked as ${asked.replace(', current', ' as d, current')} as f`)
  const client = new pg.Client(database.connectionString)
  await client.connect()
  try {
    await migrateMarketplace(client, { directory, development: true, force: true })
    expect((await client.query('select * from public.asked')).rows).toEqual([{ d: 'on', f: 'on' }])
    expect((await client.query({ text: asked, rowMode: 'array' })).rows).toEqual([['off', 'off']])
  } finally {
    await client.end()
  }
})

it('runs the first file again for development, since it may have been applied without', async () => {
  await file(
    '0001_first.sql',
    `create table if not exists public.seen (development text);
    insert into public.seen select current_setting('marketplace.development', true)`,
  )
  await file('0002_second.sql', 'create table public.second (n int)')
  expect(await up()).toEqual([1, 2])
  expect(await up({ development: true })).toEqual([])
  expect((await database.pool.query('select * from public.seen')).rows).toEqual([
    { development: 'off' },
    { development: 'on' },
  ])
})

it('takes the last file back, or all after a number, the last first; and with the last the schema', async () => {
  await database.pool.query('create table public.trace (n int generated always as identity, what text)')
  for (const n of [1, 2, 3]) await file(`000${n}_file.sql`, '', `insert into public.trace (what) values ('${n}')`)
  expect(await up()).toEqual([1, 2, 3])
  expect(await down()).toEqual([3])
  expect(await up()).toEqual([3])
  expect(await down({ to: 1 })).toEqual([3, 2])
  expect(await down({ to: 0 })).toEqual([1])
  expect(await down({ to: 0 })).toEqual([])
  const { rows } = await database.pool.query(
    `select string_agg(what, '' order by n) as trace, to_regnamespace('marketplace_internal') as schema from public.trace`,
  )
  expect(rows).toEqual([{ trace: '3321', schema: null }])
})

it('keeps the schema where somebody else has something in it', async () => {
  await file('0001_first.sql', 'create table marketplace_internal.of_others (n int)')
  await up()
  expect(await down()).toEqual([1])
  expect(await up().catch((error: Error) => error.message)).toMatch(/"of_others" already exists/)
})

it('a rollback that fails or has no file takes nothing back', async () => {
  await file('0001_first.sql', '', 'select 1 / 0')
  await file('0002_second.sql', 'create table public.second (n int)', 'drop table public.second')
  await up()
  await expect(down({ to: 0 })).rejects.toThrow('0001_first.sql failed')
  await database.pool.query('insert into public.second values (1)')
  await file('0002_second.sql', 'create table public.second (n int)', 'drop table public.second')
  await rm(join(directory, 'rollback', '0001_first.sql'))
  await expect(down({ to: 0 })).rejects.toThrow('0001_first.sql has no rollback file')
  await database.pool.query('insert into public.second values (1)')
  expect(await down()).toEqual([2])
})
