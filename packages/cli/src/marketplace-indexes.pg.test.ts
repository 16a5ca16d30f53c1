import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { runCli } from './run.ts'

const FILE = new URL('../../../migrations/marketplace/0011_unused_indexes.sql', import.meta.url)

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await database.pool.query(await readFile(FILE, 'utf8'))
  await database.pool.query(`
    create table public.things (id int primary key, a int, b int, c int unique, d int, e int, f int references public.things,
      exclude using btree (e with =));
    create index idle on public.things (a) where b > 0;
    create index "Idle too" on public.things using hash (b);
    create index busy on public.things (d);
    create index kept_for_a_key on public.things (f);
    create table public.days (day int, a int) partition by range (day);
    create table public.day_1 partition of public.days for values from (1) to (2);
    create index on public.days (a);
    create index day_alone on public.day_1 (day);
    insert into public.things (id, a, b, c, d, e) select n, n, n, n, n, n from generate_series(1, 1000) n;
    analyze public.things`)
})
afterAll(() => database.drop())

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', '']
  const url = new URL(database.connectionString)
  url.searchParams.set('options', '-c lock_timeout=300')
  const code = await runCli(['marketplace', 'unused-indexes', ...args], {
    env: { DATABASE_URL: url.href },
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

/** A time that the statistics of this server cover: it was started for this run. */
const covered = async (): Promise<string> =>
  (await database.pool.query('select marketplace_internal.statistics_since() as since')).rows[0].since.toISOString()
const after = async () => new Date(Date.parse(await covered()) + 1).toISOString()

it('says that nobody can know where the statistics are younger than the date, and that a date is none', async () => {
  expect(await run('--since', '2020-01-01')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /nobody can know which indexes were used since 2020-01-01.*the statistics begin at 2/,
    ),
  })
  expect(await run('--since', 'soon')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--since soon is no date'),
  })
  expect(await run('--drop')).toMatchObject({ code: 1, stderr: expect.stringContaining('--drop wants names') })
})

it('lists what no query used, no constraint needs and no partitioned table has, with what brings it back', async () => {
  const client = await database.pool.connect()
  await client.query(
    'set enable_seqscan = off; select from public.things where d = 7; select pg_stat_force_next_flush()',
  )
  client.release(true)
  await expect
    .poll(
      async () =>
        (await database.pool.query(`select idx_scan from pg_stat_user_indexes where indexrelname = 'busy'`)).rows[0]
          .idx_scan,
    )
    .toBe('1')
  const { unused } = JSON.parse((await run('--since', await after(), '--json')).stdout)
  const ours = unused.filter((row: { relation: string }) => /things|day/.test(row.relation))
  expect(ours.map((row: { index: string }) => row.index).sort()).toEqual([
    'public."Idle too"',
    'public.day_alone',
    'public.idle',
    'public.kept_for_a_key',
  ])
  expect(
    unused.filter((row: { relation: string }) => /platform_events|amara|guest|internal/.test(row.relation)),
  ).toEqual([])
  expect(ours.find((row: { index: string }) => row.index === 'public.idle')).toMatchObject({
    drop_with: 'drop index concurrently public.idle',
    bring_back: 'create index concurrently idle ON public.things USING btree (a) WHERE (b > 0)',
    foreign_key: null,
  })
  expect(ours.find((row: { index: string }) => row.index === 'public.kept_for_a_key').foreign_key).toBe('things_f_fkey')
  expect((await run('--since', await after())).stdout).toMatch(/public\.idle +public\.things +\d+ +never/)
})

it('drops the named ones alone, if they are unused still, and keeps what brings each back', async () => {
  const done = await run(
    '--since',
    await after(),
    '--drop',
    'public.idle',
    'public.busy',
    'public.things_pkey',
    'no.such',
  )
  expect(done.code).toBe(1)
  expect(done.stdout).toMatch(
    /^Dropped public\.idle\. What brings it back:\n {2}create index concurrently idle ON .*;\n$/,
  )
  expect(done.stderr.match(/NOT DROPPED {2}\S+: it is not among the unused ones/g)).toHaveLength(3)
  const { rows } = await database.pool.query('select * from marketplace_internal.dropped_indexes')
  expect(rows).toMatchObject([{ index: 'public.idle', relation: 'public.things', dropped_at: expect.any(Date) }])
  await database.pool.query(rows[0].bring_back)
  expect((await database.pool.query(`select pg_get_indexdef('public.idle'::regclass) as now`)).rows).toEqual([
    { now: 'CREATE INDEX idle ON public.things USING btree (a) WHERE (b > 0)' },
  ])
})

it('says that an index is invalid after a drop that did not end, and ends it the next time', async () => {
  const holder = await database.pool.connect()
  await holder.query('begin; lock table public.things in row exclusive mode')
  const failed = await run('--since', await after(), '--drop', 'public."Idle too"')
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/lock timeout; it is INVALID now/) })
  expect((await run('--since', await after())).stdout).toContain('INVALID  public."Idle too"')
  await holder.query('rollback')
  holder.release()
  expect(await run('--since', await after(), '--drop', 'public."Idle too"')).toMatchObject({ code: 0 })
  const { rows } = await database.pool.query(
    'select index, dropped_at from marketplace_internal.dropped_indexes where dropped_at is not null order by 1',
  )
  expect(rows.map((row) => row.index)).toEqual(['public."Idle too"', 'public.idle'])
})
