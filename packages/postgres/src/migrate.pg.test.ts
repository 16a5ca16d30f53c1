import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { migrate } from './migrate.ts'
import { MigrationError } from './migration-files.ts'

let database: TestDatabase
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'migrations-'))
  database = await createTestDatabase()
  // The template has the repository's own migrations; here only those of the test count.
  await database.pool.query('drop schema if exists events_internal cascade')
})
afterEach(async () => {
  await database.drop()
  await rm(directory, { recursive: true })
})

async function file(name: string, sql: string): Promise<void> {
  await writeFile(join(directory, name), sql)
}

async function run(): Promise<number[]> {
  return (await migrate(database.connectionString, { directory })).applied
}

async function ledger(): Promise<string[]> {
  const { rows } = await database.pool.query('select name from events_internal.schema_migrations order by version')
  return rows.map((row: { name: string }) => row.name)
}

describe('migrate', () => {
  test('applies in order, once', async () => {
    await file('0002_second.sql', 'insert into things values (2)')
    await file('0001_first.sql', 'create table things (n int); -- a comment\ninsert into things values (1);')
    expect(await run()).toEqual([1, 2])
    expect(await run()).toEqual([])
    await file('0010_later.sql', 'insert into things values (10)')
    expect(await run()).toEqual([10])
    expect(await ledger()).toEqual(['0001_first.sql', '0002_second.sql', '0010_later.sql'])
    expect((await database.pool.query('select n from things')).rows).toEqual([{ n: 1 }, { n: 2 }, { n: 10 }])
  })

  test('is safe from several processes at once: one applies, the others wait', async () => {
    await file('0001_first.sql', 'select pg_sleep(0.3); create table things (n int)')
    await file('0002_second.sql', 'insert into things values (2)')
    const runs = await Promise.all([run(), run(), run(), run()])
    expect(runs.sort((a, b) => a.length - b.length)).toEqual([[], [], [], [1, 2]])
    expect((await database.pool.query('select n from things')).rows).toEqual([{ n: 2 }])
  })

  test('gives up waiting in time', async () => {
    await file('0001_first.sql', 'create table things (n int)')
    const holder = new pg.Client(database.connectionString)
    await holder.connect()
    await file('0002_slow.sql', 'select pg_sleep(1)')
    const slow = migrate(holder, { directory })
    await expect
      .poll(async () => (await database.pool.query(`select from pg_locks where locktype = 'advisory'`)).rowCount)
      .toBe(1)
    await expect(migrate(database.connectionString, { directory, waitMs: 100 })).rejects.toThrow(/another process/)
    expect((await slow).applied).toEqual([1, 2])
    await holder.end()
  })

  test('a file that fails leaves nothing of itself, and says where', async () => {
    await file('0001_first.sql', 'create table things (n int)')
    await run()
    await file(
      '0002_bad.sql',
      'create table more (n int);\ninsert into things values (1);\ninsert into thinks values (2);',
    )
    await expect(run()).rejects.toThrow(
      '0002_bad.sql failed in line 3 (SQLSTATE 42P01): relation "thinks" does not exist',
    )
    expect(await ledger()).toEqual(['0001_first.sql'])
    const { rows } = await database.pool.query(`select to_regclass('more') as more, (select count(*)::int from things)`)
    expect(rows).toEqual([{ more: null, count: 0 }])
    await file('0002_bad.sql', 'insert into things values (2)')
    expect(await run()).toEqual([2])
  })

  test('is all or nothing the first time', async () => {
    await file('0001_first.sql', 'create table things (n int)')
    await file('0002_bad.sql', 'insert into thinks values (1)')
    await expect(run()).rejects.toThrow('0002_bad.sql failed')
    expect(await ledger()).toEqual([])
    expect((await database.pool.query(`select to_regclass('things') as things`)).rows).toEqual([{ things: null }])
  })

  test('refuses a file changed after it was applied, but not its line ends', async () => {
    await file('0001_first.sql', 'create table things (\n n int)')
    await run()
    await file('0001_first.sql', 'create table things (\r\n n int)')
    expect(await run()).toEqual([])
    await file('0001_first.sql', 'create table things (\n n bigint)')
    await expect(run()).rejects.toThrow('0001_first.sql was changed after it was applied')
  })

  test('refuses a database that is newer than the files, and a file that comes late', async () => {
    await file('0002_second.sql', 'create table things (n int)')
    await run()
    await rm(join(directory, '0002_second.sql'))
    await expect(run()).rejects.toThrow('the database is newer than this program: it has 0002_second.sql')
    await file('0002_second.sql', 'create table things (n int)')
    await file('0001_late.sql', 'create table late (n int)')
    await expect(run()).rejects.toThrow('0001_late.sql comes before 0002_second.sql')
  })

  test('refuses names without a number, and a number twice', async () => {
    await file('first.sql', '')
    await expect(run()).rejects.toThrow(MigrationError)
    await rm(join(directory, 'first.sql'))
    await file('0001_a.sql', '')
    await file('0001_b.sql', '')
    await expect(run()).rejects.toThrow('0001_a.sql and 0001_b.sql have the same number')
  })

  test('refuses a file that ends its own transaction', async () => {
    await file('0001_commits.sql', 'create table things (n int); commit; create table more (n int);')
    await expect(run()).rejects.toThrow('0001_commits.sql ended the transaction that it runs in')
    expect(await ledger()).toEqual([])
  })

  test('works as a login that is no superuser, also where a file changes the role', async () => {
    const login = `migrator_${Math.random().toString(36).slice(2)}`
    const owner = `${login}_owner`
    await database.pool.query(`create role ${login} login createrole password 'x'`)
    const url = new URL(database.connectionString)
    await database.pool.query(`grant create on database ${url.pathname.slice(1)} to ${login}`)
    await file(
      '0001_first.sql',
      `create role ${owner}; grant ${owner} to current_user; grant create on schema events_internal to ${owner};
       grant usage on schema events_internal to ${owner};
       set local role ${owner}; create table events_internal.things (n int);`,
    )
    await file('0002_more.sql', 'drop table events_internal.things')
    url.username = login
    url.password = 'x'
    expect((await migrate(url.href, { directory })).applied).toEqual([1, 2])
    const { rows } = await database.pool.query(`select tableowner from pg_tables where tablename = 'schema_migrations'`)
    expect(rows).toEqual([{ tableowner: login }])
    await database.pool.query(`drop owned by ${owner}; drop role ${owner}; drop owned by ${login}; drop role ${login}`)
  })
})
