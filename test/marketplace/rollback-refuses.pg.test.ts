import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { PoolClient } from '@platform-events/postgres'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

const DIRECTORY = fileURLToPath(new URL('../../migrations/marketplace/', import.meta.url))
const NAMES = (await readdir(DIRECTORY)).filter((name) => name.endsWith('.sql')).sort()

let database: TestDatabase
let client: PoolClient
/** What a rollback needs to know, and uses up. */
const NOTES = ['marketplace_internal.dropped_tables', 'marketplace_internal.bookings_before_guests']
/** Which file made which table. */
const made: { table: string; file: string }[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  client = await database.pool.connect()
  await client.query(`set marketplace.development = 'on'`)
  for (const file of NAMES) {
    const before = await tables()
    await client.query(await readFile(`${DIRECTORY}${file}`, 'utf8'))
    for (const table of await tables()) if (!before.includes(table)) made.push({ table, file })
  }
})
afterAll(async () => {
  client.release()
  await database.drop()
})

it('a rollback refuses to drop a table of ours with a row in it; forced, it keeps the row in marketplace_archive', async () => {
  const tried: string[] = []
  for (const { table, file } of made) {
    const minimal = file === NAMES[0]
    // What a file fills itself is no loss either.
    if (NOTES.includes(table) || (await client.query(`select from ${table}`)).rowCount !== 0) continue
    await client.query('begin')
    await insertAnyRow(table)
    await client.query('savepoint filled')
    if (minimal) {
      await rollBackFrom(NAMES[0]!)
      expect((await client.query(`select from ${table}`)).rowCount, table).toBe(1)
    } else {
      const name = table.replace(/^public\./, '(public\\.)?')
      await expect(rollBackFrom(file), `${table} of ${file}`).rejects.toThrow(
        new RegExp(`^${file}: ${name} holds 1 rows`),
      )
      await client.query(`rollback to savepoint filled; set local marketplace.force = 'on'`)
      await rollBackFrom(file)
      expect(await archived(), table).toBe(1)
    }
    await client.query('rollback')
    tried.push(table)
  }
  expect(tried).toEqual(
    expect.arrayContaining([
      'public.bookings',
      'public.guest_sessions',
      'public.amara_conversations',
      'public.amara_messages',
      'marketplace_internal.chat_requests',
    ]),
  )
})

async function tables(): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname in ('public', 'marketplace_internal') order by 1`,
  )
  return rows.map((row) => row.name)
}

/** Takes the files back, the last first, up to this one. */
async function rollBackFrom(file: string): Promise<void> {
  for (const name of NAMES.filter((other) => other >= file).toReversed()) {
    await client.query(await readFile(`${DIRECTORY}rollback/${name}`, 'utf8')).catch((error) => {
      throw new Error(`${name}: ${error.message}`, { cause: error })
    })
  }
}

/** Without triggers, foreign keys and checks: of no column more is known than its type, and that a booking without a customer is a matter of its own. */
async function insertAnyRow(table: string): Promise<void> {
  await client.query(`set local session_replication_role = replica`)
  const { rows: checks } = await client.query<{ conname: string }>(
    `select conname from pg_constraint where conrelid = $1::regclass and contype = 'c'`,
    [table],
  )
  for (const { conname } of checks) await client.query(`alter table ${table} drop constraint "${conname}"`)
  const { rows } = await client.query<{ column: string; value: string }>(
    `select quote_ident(attname) as column, case typcategory when 'S' then '''x''' when 'N' then '1' when 'B' then 'true' when 'D' then 'now()'
         when 'A' then '''{}''' else case typname when 'uuid' then 'gen_random_uuid()' when 'jsonb' then '''{}''' when 'bytea' then '''\\x00''' end
       end as value
     from pg_attribute a join pg_type t on t.oid = a.atttypid
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and (attnotnull or attname = 'customer_id') and not atthasdef and attidentity = ''`,
    [table],
  )
  const [columns, values] = [rows.map((row) => row.column).join(', '), rows.map((row) => row.value).join(', ')]
  const what = rows.length === 0 ? 'default values' : `(${columns}) values (${values})`
  await client.query(`insert into ${table} ${what}`)
  await client.query(`set local session_replication_role = origin`)
}

async function archived(): Promise<number> {
  const { rows } = await client.query<{ name: string }>(
    `select oid::regclass::text as name from pg_class where relnamespace = to_regnamespace('marketplace_archive') and relkind = 'r'`,
  )
  let count = 0
  for (const { name } of rows) count += (await client.query(`select from ${name}`)).rowCount ?? 0
  return count
}
