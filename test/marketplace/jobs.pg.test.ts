import { readFile } from 'node:fs/promises'
import { inTransaction } from '@platform-events/postgres'
import { createLogger, createMetrics } from '@platform-events/runtime'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { createJobs, type Jobs } from '../../services/marketplace/src/jobs/jobs.ts'
import { createMarketplaceDatabase, marketplaceApp } from '../support/marketplace.ts'
import type { TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
let started: Jobs[] = []
const logger = createLogger({ name: 'jobs', level: 'silent' })

beforeAll(async () => {
  database = await createMarketplaceDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  await database.pool.query('delete from marketplace_internal.job_runs')
})
afterEach(async () => {
  await Promise.all(started.map((jobs) => jobs.stop()))
  started = []
})

function jobsOf(everyMs = 60_000): Jobs {
  const jobs = createJobs({ pool: database.pool, logger, metrics: createMetrics(), everyMs })
  started.push(jobs)
  return jobs
}

async function runsOf(job: string): Promise<{ removed: number | null; error: string | null }[]> {
  const { rows } = await database.pool.query(
    'select removed::int, error from marketplace_internal.job_runs where job = $1 order by run_id',
    [job],
  )
  return rows
}

async function guest(expired: boolean): Promise<void> {
  await database.pool.query(
    `insert into guest_sessions (session_token, email, full_name, expires_at)
     values (gen_random_uuid()::text, 'a@example.com', 'A', now() + case when $1 then -interval '1 hour' else interval '1 hour' end)`,
    [expired],
  )
}

it('runs each job when it is due, counts what it removed, and not again before it is due', async () => {
  await guest(true)
  await guest(true)
  await guest(false)
  await database.pool.query(
    `select events_internal.create_day(current_date - 100), events_internal.create_day(current_date - 95)`,
  )
  const jobs = jobsOf()
  await jobs.runNow()
  await jobs.runNow()
  await jobsOf().runNow() // another instance, or this one restarted
  expect(await runsOf('cleanup_expired_guest_sessions')).toEqual([{ removed: 2, error: null }])
  expect(await runsOf('cleanup_old_platform_events')).toEqual([{ removed: 2, error: null }])
  expect(await runsOf('cleanup_chat_requests')).toEqual([{ removed: 0, error: null }])
  await database.pool.query(
    `update marketplace_internal.job_runs set started_at = started_at - interval '25 hours', finished_at = finished_at - interval '25 hours'`,
  )
  await jobs.runNow()
  expect(await runsOf('cleanup_expired_guest_sessions')).toHaveLength(2)
  expect(await runsOf('cleanup_old_platform_events')).toHaveLength(1)
})

it('runs a due job once, however many instances there are', async () => {
  await Promise.all(Array.from({ length: 6 }, () => jobsOf().runNow()))
  expect(await runsOf('cleanup_expired_guest_sessions')).toHaveLength(1)
  await database.pool.query('delete from marketplace_internal.job_runs')
  await inTransaction(database.pool, async (client) => {
    await client.query(`select marketplace_internal.run_job('cleanup_chat_requests', true)`)
    await jobsOf().runNow() // while the first is still at it
  })
  expect(await runsOf('cleanup_chat_requests')).toHaveLength(1)
})

it('records a failure with its error, and tries again later, and later still', async () => {
  const { pool } = database
  await pool.query('alter table guest_sessions rename to guest_sessions_away')
  const minutesUntilDue = async () => {
    const { rows } = await pool.query(
      `select round(extract(epoch from due_at - last_run) / 60)::int as minutes, last_error
       from marketplace_internal.job_states() where job = 'cleanup_expired_guest_sessions'`,
    )
    return rows[0]
  }
  try {
    for (const minutes of [1, 2, 4]) {
      await jobsOf().runNow()
      expect(await minutesUntilDue()).toMatchObject({ minutes, last_error: expect.stringContaining('42P01') })
      await pool.query(
        `update marketplace_internal.job_runs set started_at = started_at - interval '10 minutes', finished_at = finished_at - interval '10 minutes'`,
      )
    }
  } finally {
    await pool.query('alter table guest_sessions_away rename to guest_sessions')
  }
  await jobsOf().runNow()
  expect((await runsOf('cleanup_expired_guest_sessions')).map(({ error }) => error === null)).toEqual([
    false,
    false,
    false,
    true,
  ])
})

it('says in /readyz what is overdue, without letting it decide', async () => {
  const jobs = jobsOf()
  await jobs.runNow()
  const app = await marketplaceApp(database, { behind: { jobs: jobs.check } })
  expect((await app.inject('/readyz')).json().parts.jobs).toEqual({ ok: true })
  await database.pool.query(
    `update marketplace_internal.job_runs set started_at = '2026-01-02T03:04:05Z' where job like '%guest%'`,
  )
  const ready = await app.inject('/readyz')
  expect(ready.statusCode).toBe(200)
  expect(ready.json().parts.jobs).toEqual({
    ok: true,
    degraded: true,
    detail: 'cleanup_expired_guest_sessions is overdue, last ran well at 2026-01-02T03:04:05.000Z',
  })
  await app.close()
})

it('keeps what it ran for 400 days', async () => {
  await database.pool.query(
    `insert into marketplace_internal.job_runs (job, started_at, finished_at)
     select 'cleanup_chat_requests', now() - n * interval '1 day', now() - n * interval '1 day' from unnest(array[401, 399]) n`,
  )
  await jobsOf().runNow()
  expect(await runsOf('cleanup_chat_requests')).toHaveLength(2)
})

it('stops while a job runs, which is then due again', async () => {
  const { pool } = database
  const locker = await pool.connect()
  try {
    await locker.query('begin; lock table guest_sessions in access exclusive mode')
    const jobs = jobsOf()
    await jobs.start()
    await vi.waitFor(async () => {
      const { rowCount } = await pool.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%run_job%'`,
      )
      expect(rowCount).toBe(1)
    })
    const startedAt = performance.now()
    await jobs.stop()
    expect(performance.now() - startedAt).toBeLessThan(1500)
  } finally {
    await locker.query('rollback')
    locker.release()
  }
  expect(await runsOf('cleanup_expired_guest_sessions')).toEqual([])
  await jobsOf().runNow()
  expect(await runsOf('cleanup_expired_guest_sessions')).toHaveLength(1)
})

it('sends events that waited, and goes on after Postgres was away', async () => {
  const { pool } = database
  await pool.query(
    `insert into marketplace_internal.unsent_events (event_type, session_id, created_at) values ('SearchStarted', 'waited', now())`,
  )
  await jobsOf(20).start()
  await vi.waitFor(async () => {
    expect((await pool.query(`select from platform_events where session_id = 'waited'`)).rowCount).toBe(1)
  })
  // Every connection is lost, and the next look has another.
  await pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
  )
  await pool.query('delete from marketplace_internal.job_runs')
  await vi.waitFor(async () => expect(await runsOf('cleanup_chat_requests')).toHaveLength(1))
})

// A schema that looks as pg_cron's does from outside: its table, and its two functions with pg_cron's argument names and types.
it('has pg_cron run the jobs where it is, and steps in for what is overdue', async () => {
  const { pool } = database
  await pool.query(`
    create schema cron;
    create table cron.job (jobid bigint generated always as identity, schedule text not null, command text not null,
      nodename text default 'localhost', nodeport int default 5432, database text not null default current_database(),
      username text not null default current_user, active boolean not null default true, jobname name, unique (jobname, username));
    create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql as $$
      insert into cron.job (jobname, schedule, command) values ($1, $2, $3)
      on conflict (jobname, username) do update set schedule = excluded.schedule, command = excluded.command returning jobid $$;
    create function cron.unschedule(job_id bigint) returns boolean language sql as $$
      with gone as (delete from cron.job where jobid = $1 returning 1) select exists (select from gone) $$;`)
  try {
    const jobs = jobsOf()
    await jobs.start()
    await pool.query(`update cron.job set schedule = '0 5 * * *' where jobname = 'cleanup_chat_requests'`)
    await pool.query('select marketplace_internal.schedule_jobs()')
    const { rows } = await pool.query(
      `select jobname::text, schedule, command from cron.job where jobname not like '%platform_events' order by jobname`,
    )
    expect(rows).toEqual([
      {
        jobname: 'cleanup_chat_requests',
        schedule: '0 5 * * *',
        command: `select marketplace_internal.run_job('cleanup_chat_requests')`,
      },
      {
        jobname: 'cleanup_expired_guest_sessions',
        schedule: '17 3 * * *',
        command: `select marketplace_internal.run_job('cleanup_expired_guest_sessions')`,
      },
      {
        jobname: 'send_unsent_events',
        schedule: '*/5 * * * *',
        command: expect.stringContaining('send_unsent_events()'),
      },
    ])
    await pool.query(
      `insert into marketplace_internal.unsent_events (event_type, session_id, created_at) select 'SearchStarted', 'many', now() from generate_series(1, 1001)`,
    )
    await pool.query(rows[2].command)
    expect((await pool.query('select from marketplace_internal.unsent_events')).rowCount).toBe(0)
    const { rows: commits } = await pool.query(
      `select count(distinct xmin::text)::int as n from platform_events where session_id = 'many'`,
    )
    expect(commits).toEqual([{ n: 2 }])
    const ranHoursAgo = (hours: number) =>
      pool.query(
        `insert into marketplace_internal.job_runs (job, started_at, finished_at)
         values ('cleanup_chat_requests', now() - $1 * interval '1 hour', now() - $1 * interval '1 hour')`,
        [hours],
      )
    await jobs.runNow() // the look of the start has ended
    expect(await runsOf('cleanup_chat_requests')).toEqual([])
    await ranHoursAgo(40)
    await ranHoursAgo(30)
    await jobs.runNow()
    expect(await runsOf('cleanup_chat_requests')).toHaveLength(2)
    await pool.query(`delete from marketplace_internal.job_runs where started_at > now() - interval '35 hours'`)
    await jobs.runNow()
    expect(await runsOf('cleanup_chat_requests')).toHaveLength(2)
    expect(await scheduledAfterRollback()).toBe(0)
  } finally {
    await pool.query('drop schema cron cascade')
  }
})

async function scheduledAfterRollback(): Promise<number> {
  const client = await database.pool.connect()
  try {
    await client.query(`begin; set local marketplace.force = 'on'`)
    for (const file of ['0009_monitoring.sql', '0008_jobs.sql'])
      await client.query(
        await readFile(new URL(`../../migrations/marketplace/rollback/${file}`, import.meta.url), 'utf8'),
      )
    return (await client.query<{ n: number }>('select count(*)::int as n from cron.job')).rows[0]!.n
  } finally {
    await client.query('rollback')
    client.release()
  }
}
