/**
 * Fills a database of its own for `analytics`, in the folder BENCH_DATA, and leaves it there: `tsx test/bench/analytics-fill.ts`.
 * BENCH_ROWS (10000000), BENCH_DAYS (90), BENCH_THIN (1: no properties, and only the two indexes that analytics read). Ten million rows take
 * about five minutes and 8 GB. BENCH_COPIES (0): so often the same days again, before them, made in Postgres: 3333333 rows on 30 days and 29 copies
 * are a hundred million rows over 900 days, thin 28 GB.
 */
import { createPool, migrate, type Pool, startEmbeddedPostgres } from '@platform-events/postgres'
import { createLogger } from '@platform-events/runtime'
import { fillWithEvents } from './analytics-data.ts'

const DAY_MS = 86_400_000
const dataDir = process.env['BENCH_DATA']
if (dataDir === undefined) throw new Error('BENCH_DATA names the folder to fill.')
const rows = Number(process.env['BENCH_ROWS'] ?? 10_000_000)
const days = Number(process.env['BENCH_DAYS'] ?? 90)
const copies = Number(process.env['BENCH_COPIES'] ?? 0)
const server = await startEmbeddedPostgres({
  dataDir,
  logger: createLogger({ name: 'bench', level: 'silent' }),
  settings: { shared_buffers: '1GB', max_wal_size: '8GB', maintenance_work_mem: '512MB' },
})
try {
  await migrate(server.connectionString)
  const pool = createPool({
    connectionString: server.connectionString,
    applicationName: 'platform-events bench',
    max: 2,
  })
  const startedAt = Date.now()
  const endMs = Math.floor(Date.now() / 86_400_000) * 86_400_000
  const properties = process.env['BENCH_THIN'] !== '1'
  if (!properties) await dropOtherIndexes(pool)
  const onDay = (day: number): void => {
    if (day % 10 === 9) console.error(`day ${day + 1} of ${days}, ${Math.round((Date.now() - startedAt) / 1000)} s`)
  }
  await fillWithEvents(pool, { rows, days, users: 200_000, properties, seed: 1, endMs, onDay })
  await addCopies(pool, endMs)
  await pool.end()
  console.log(`filled in ${Math.round((Date.now() - startedAt) / 1000)} s`)
} finally {
  await server.stop()
}

/** A day of a hundred million rows is read by its key, and by the covering index. */
async function dropOtherIndexes(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ name: string }>(
    `select indexrelid::regclass::text as name from pg_index
      where indrelid = 'public.platform_events'::regclass and not indisprimary and indnatts = indnkeyatts`,
  )
  for (const { name } of rows) await pool.query(`drop index ${name}`)
}

async function addCopies(pool: Pool, endMs: number): Promise<void> {
  const leaf = (ms: number): string =>
    `events_internal.platform_events_${new Date(ms).toISOString().slice(0, 10).replaceAll('-', '')}`
  const work: [from: number, to: number][] = []
  for (let copy = 1; copy <= copies; copy++)
    for (let day = 1; day <= days; day++) work.push([endMs - day * DAY_MS, endMs - (day + copy * days) * DAY_MS])
  const one = async (): Promise<void> => {
    for (let next = work.pop(); next !== undefined; next = work.pop()) {
      const [from, to] = next
      await pool.query('select events_internal.create_day($1::date)', [new Date(to).toISOString().slice(0, 10)])
      await pool.query(
        `insert into ${leaf(to)} (id, event_type, user_id, session_id, properties, created_at, received_at, source_id, actor_key)
         select id, event_type, user_id, session_id, properties, created_at - $1::interval, received_at - $1::interval, source_id, actor_key
           from ${leaf(from)} order by created_at`,
        [`${(from - to) / 1000} seconds`],
      )
      if (work.length % 90 === 0) console.error(`${work.length} days to copy`)
    }
  }
  await Promise.all([one(), one()])
  await pool.query(
    `insert into events_internal.event_rollup_hourly (hour, event_type, shard, n)
     select hour - copy * $2::interval, event_type, shard, n
       from events_internal.event_rollup_hourly, generate_series(1, $1::int) copy`,
    [copies, `${days} days`],
  )
}
