import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction, type Pool, type PoolClient } from '@platform-events/postgres'
import {
  type Component,
  Counter,
  type HealthCheck,
  type Logger,
  type Registry,
  reasonOf,
} from '@platform-events/runtime'
import { checkJobs } from './check.ts'

export interface JobsOptions {
  pool: Pool
  logger: Logger
  metrics: Registry
  /** Between two looks at what is due; 60 s unless told. */
  everyMs?: number
  /** The longest that one job may run; 10 minutes unless told. */
  jobTimeoutMs?: number
}

export interface Jobs extends Component {
  /** Whether a job is overdue: degraded, and which. */
  check: HealthCheck
  /** Runs what is due now, and sends events that wait; while that is under way, resolves with it. */
  runNow(): Promise<void>
}

/** The longest that a stop waits for what was cancelled. */
const WAIT_MS = 2000

/**
 * The module's work by the clock (0008_jobs.sql). Where pg_cron is, it is asked to do it, and this steps in for what failed or is
 * overdue. Several instances on one database run a due job once: the database decides which, and what is due follows from its records alone.
 */
export function createJobs(options: JobsOptions): Jobs {
  const { pool, logger, everyMs = 60_000, jobTimeoutMs = 600_000 } = options
  const runs = new Counter({
    name: 'marketplace_job_runs_total',
    help: 'Jobs run by this process',
    labelNames: ['job', 'outcome'],
    registers: [options.metrics],
  })
  const sent = new Counter({
    name: 'marketplace_events_sent_late_total',
    help: 'Events sent that platform_events had not taken at first',
    registers: [options.metrics],
  })
  let stopping = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let pid: number | undefined
  let wasAway = false

  async function run(): Promise<void> {
    const { rows } = await pool.query<{ job: string }>(
      'select job from marketplace_internal.job_states() where due_at <= clock_timestamp() order by due_at',
    )
    for (const { job } of rows) {
      if (stopping) return
      await runJob(job)
    }
    if (!stopping) await sendUnsent()
  }

  async function runJob(job: string): Promise<void> {
    const asked = async (client: PoolClient) => {
      pid = (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid
      if (stopping) return null
      const { rows } = await client.query<{ result: { removed?: number; error?: string } | null }>(
        'select marketplace_internal.run_job($1, true) as result',
        [job],
      )
      return rows[0]!.result
    }
    const result = await inTransaction(pool, asked, { statementTimeoutMs: jobTimeoutMs }).finally(() => {
      pid = undefined
    })
    if (result === null) return
    runs.inc({ job, outcome: result.error === undefined ? 'done' : 'failed' })
    if (result.error === undefined) logger.info({ job, removed: result.removed }, 'job done')
    else logger.warn({ job, err: result.error }, 'job failed; it will be tried again')
  }

  /** Batch after batch, each in a transaction of its own, while any of them goes: what a bulk statement left may be many. */
  async function sendUnsent(): Promise<void> {
    for (let total = 0; ; ) {
      const { rows } = await pool.query<{ n: number }>(
        `select case when to_regclass('marketplace_internal.unsent_events') is null then 0
                     else marketplace_internal.send_unsent_events() end as n`,
      )
      total += rows[0]!.n
      sent.inc(rows[0]!.n)
      if (rows[0]!.n > 0 && !stopping) continue
      if (total > 0) logger.info({ events: total }, 'events sent that waited')
      return
    }
  }

  function runNow(): Promise<void> {
    running ??= run().finally(() => {
      running = undefined
    })
    return running
  }

  /** What fails here is Postgres being away or a job that took too long: the next look is the next try. Said once while it lasts. */
  async function look(): Promise<void> {
    await runNow().then(
      () => {
        wasAway = false
      },
      (error: unknown) => {
        if (!wasAway && !stopping)
          logger.warn({ err: reasonOf(error) }, 'jobs could not be run; it will be tried again')
        wasAway = true
      },
    )
    if (!stopping) timer = setTimeout(() => void look(), everyMs)
  }

  return {
    name: 'jobs',
    async start() {
      await pool
        .query('select marketplace_internal.schedule_jobs()')
        .catch((error: unknown) => logger.warn({ err: reasonOf(error) }, 'pg_cron was not asked to run the jobs'))
      void look()
    },
    /** What is cancelled rolls back, and is due again. */
    async stop() {
      stopping = true
      clearTimeout(timer)
      if (pid !== undefined) await pool.query('select pg_cancel_backend($1)', [pid]).catch(() => undefined)
      await Promise.race([running?.catch(() => undefined), sleep(WAIT_MS, undefined, { ref: false })])
    },
    check: () => checkJobs(pool),
    runNow,
  }
}
