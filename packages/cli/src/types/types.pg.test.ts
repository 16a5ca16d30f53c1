import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMarketplaceDatabase } from '../../../../test/support/marketplace.ts'
import type { TestDatabase } from '../../../../test/support/postgres.ts'
import { runCli } from '../run.ts'

const FILE = new URL('../../../contracts/src/database.types.ts', import.meta.url)

let database: TestDatabase
beforeAll(async () => {
  database = await createMarketplaceDatabase()
})
afterAll(() => database?.drop())

async function types(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', '']
  const code = await runCli(['types', ...args], {
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

it('are checked in as the migrated database has them (UPDATE_TYPES=1 writes them anew)', async () => {
  const { code, stdout, stderr } = await types()
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  if (process.env['UPDATE_TYPES'] === '1') await writeFile(FILE, stdout)
  expect(stdout).toBe((await readFile(FILE, 'utf8')).replaceAll('\r\n', '\n'))
})

it('say what supabase-js sends and gets, of each kind of column and function', async () => {
  await database.pool.query(`
    create schema zoo;
    create type zoo.mood as enum ('sad', 'it''s "ok"');
    create type zoo.pair as (a int, m zoo.mood[]);
    create domain zoo.email as text;
    create table zoo.parents (id bigint generated always as identity primary key, code text unique);
    create table zoo."Odd" (id serial primary key, "a col" text, m zoo.mood not null default 'sad', ms zoo.mood[], p zoo.pair, e zoo.email not null,
      only_one bigint unique references zoo.parents, g int generated always as (1) stored, r int4range, user_id uuid references auth.users, j json, vs varchar[] not null);
    create view zoo.codes as select id, code from zoo.parents;
    create view zoo.counted as select count(*) as n from zoo.parents;
    create function zoo.twice(a int) returns int language sql as 'select 1';
    create function zoo.twice(a int, b text) returns text language sql as 'select null::text';
    create function zoo.all_parents(q text default null) returns setof zoo.parents language sql as 'select * from zoo.parents';
    create function zoo.listed(out a int, out b text) returns setof record language sql as 'select 1, null::text';
    create function zoo.body(json) returns json language sql as 'select $1';
    create function zoo.unnamed(int) returns json language sql as 'select null::json';
    create function zoo.fires() returns trigger language plpgsql as 'begin return new; end'`)
  const { stdout } = await types('--schema', 'zoo,public')
  await expect(stdout.slice(0, stdout.indexOf('  public: {'))).toMatchFileSnapshot('zoo.snapshot.txt')
  expect(stdout).toContain(`Enums: {\n      mood: ['sad', 'it\\'s "ok"'],`)
  expect(await types('--schema', 'nowhere')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no schema nowhere'),
  })
})
