/**
 * Counts, funnels, paths and retention over what `analytics-fill` left in the folder BENCH_DATA: `npm run bench analytics`. The first run closes the
 * days and so builds their segments (some seconds a day). SQL is asked as psql would; the query service is a process of its own, asked by HTTP:
 * cached (closed days in its memory), from Postgres (SEGMENT_CACHE_MB=0), and the first question of a fresh process. Times are medians of BENCH_ROUNDS (7)
 * questions, milliseconds; BENCH_ONLY is a regular expression for the questions' names; BENCH_SEGMENT_DAYS builds the segments of
 * the last so many days and closes none; all in one run, so that ratios hold.
 */
import { createHash } from 'node:crypto'
import { createPool, migrate, type Pool, startEmbeddedPostgres } from '@platform-events/postgres'
import { createLogger, createMetrics } from '@platform-events/runtime'
import { buildSegment } from '../../services/retention/src/build-segment.ts'
import { createRetention } from '../../services/retention/src/retention.ts'
import { openSession } from '../../services/retention/src/session.ts'
import { startService } from '../support/process.ts'
import { ANSWERS, type Asked, QUESTIONS, SQL } from './analytics-questions.ts'
import { machine, median } from './facts.ts'

const TOKEN = 'op_bench'
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)
const only = new RegExp(process.env['BENCH_ONLY'] ?? '')
const segmentDays = process.env['BENCH_SEGMENT_DAYS']
const dataDir = process.env['BENCH_DATA']
if (dataDir === undefined) throw new Error('BENCH_DATA names the folder that analytics-fill filled.')
const server = await startEmbeddedPostgres({
  dataDir,
  logger: createLogger({ name: 'bench', level: 'silent' }),
  settings: { shared_buffers: '1GB', max_wal_size: '8GB', maintenance_work_mem: '512MB' },
})
const pool = createPool({ connectionString: server.connectionString, applicationName: 'platform-events bench', max: 2 })
try {
  await migrate(server.connectionString)
  await pool.query(
    'insert into events_internal.operator_tokens (token_hash, name) values ($1, $2) on conflict do nothing',
    [createHash('sha256').update(TOKEN).digest(), 'bench'],
  )
  const closing = await closeDays(pool)
  const days = await lastDays(pool)
  const cached = await askService({ SEGMENT_CACHE_MB: '1024' }, days)
  const fromPostgres = await askService({ SEGMENT_CACHE_MB: '0' }, days)
  const sql = await askSql(pool, days)
  console.log(
    JSON.stringify(
      { ...machine(), ...(await facts(pool)), closing, http_cached: cached, http_from_postgres: fromPostgres, sql },
      null,
      2,
    ),
  )
} finally {
  await pool.end()
  await server.stop()
}

/** Closes what is open, as retention does it, and says what that took. */
async function closeDays(pool: Pool): Promise<object> {
  const startedAt = performance.now()
  const done = segmentDays === undefined ? await closeAll(pool) : await buildLast(pool, Number(segmentDays))
  return { days: done, seconds: round((performance.now() - startedAt) / 1000) }
}

async function closeAll(pool: Pool): Promise<number> {
  const logger = createLogger({ name: 'bench', level: 'silent' })
  const retention = createRetention({ pool, logger, metrics: createMetrics(), keepDays: 4000 })
  const report = await retention.runNow()
  if (report.problems.length > 0) throw new Error(JSON.stringify(report.problems))
  return report.closed.length
}

async function buildLast(pool: Pool, count: number): Promise<number> {
  const { rows } = await pool.query<{ day: string }>(
    `select distinct hour::date::text as day from events_internal.event_rollup_hourly
      where not exists (select from events_internal.event_segments s where s.day = hour::date and s.version is not null)
      order by 1 desc limit $1`,
    [count],
  )
  const session = await openSession(pool)
  const { signal } = new AbortController()
  for (const { day } of rows) await buildSegment(session!, day, { signal })
  await session!.close()
  return rows.length
}

/** The bounds of the last 30 and 90 days that have events: dates. */
async function lastDays(pool: Pool): Promise<Asked> {
  const { rows } = await pool.query<{ to: string; from30: string; from90: string }>(
    `select (max(hour)::date + 1)::text as to, (max(hour)::date - 29)::text as from30, (max(hour)::date - 89)::text as from90
       from events_internal.event_rollup_hourly`,
  )
  return rows[0]!
}

async function askService(env: Record<string, string>, days: Asked): Promise<object> {
  const service = await startService('query', {
    port: 4871,
    env: { DATABASE_URL: server.connectionString, LOG_LEVEL: 'silent', ...env },
  })
  const figures: Record<string, unknown> = {}
  try {
    for (const [name, path, body] of QUESTIONS(days)) {
      if (!only.test(name)) continue
      const times: number[] = []
      let answer: unknown
      for (let round = 0; round < ROUNDS + 1; round++) {
        const startedAt = performance.now()
        const response = await fetch(`${service.url}${path}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${TOKEN}` },
          body: JSON.stringify(body),
        })
        answer = await response.json()
        times.push(performance.now() - startedAt)
        if (response.status !== 200) break
      }
      const [first, ...rest] = times
      const error = (answer as { code?: string }).code
      figures[name] =
        error === undefined ? { first: round(first!), median: round(median(rest)), answer: ANSWERS(answer) } : { error }
    }
    figures['rss_mb'] = await rssOf(service.pid)
  } finally {
    await service.stop()
  }
  return figures
}

async function rssOf(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises')
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
}

async function askSql(pool: Pool, days: Asked): Promise<object> {
  const figures: Record<string, unknown> = {}
  for (const [name, statement] of SQL(days)) {
    if (!only.test(name)) continue
    const times: number[] = []
    for (let round = 0; round < 4; round++) {
      const startedAt = performance.now()
      await pool.query(statement)
      times.push(performance.now() - startedAt)
    }
    figures[name] = { first: round(times[0]!), median: round(median(times.slice(1))) }
  }
  return figures
}

async function facts(pool: Pool): Promise<object> {
  const { rows } = await pool.query(`
    select (select sum(n)::bigint from events_internal.event_rollup_hourly) as rows,
           (select count(*) from events_internal.event_segments where version is not null) as segments,
           (select sum(octet_length(body)) from events_internal.event_segments) as segment_bytes,
           (select sum(octet_length(body)) from events_internal.event_segment_columns) as column_bytes,
           (select count(*) from events_internal.actors) as actors,
           (select sum(pg_relation_size(i.inhrelid)) from pg_inherits i where i.inhparent = 'public.platform_events'::regclass) as heap_bytes`)
  return Object.fromEntries(Object.entries(rows[0]!).map(([name, value]) => [name, Number(value)]))
}

function round(number: number): number {
  return Math.round(number * 10) / 10
}
