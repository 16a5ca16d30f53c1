import { setTimeout as sleep } from 'node:timers/promises'
import { LIMITS } from '@platform-events/contracts'
import type { Pool } from '@platform-events/postgres'
import { type Component, Counter, Gauge, type HealthCheck, type Logger, type Registry } from '@platform-events/runtime'
import { checkPartitions } from './check.ts'
import { leadDays } from './lead-days.ts'
import { createMissingCount } from './missing-count.ts'
import { listPartitions } from './partitions.ts'
import type { RetentionReport } from './report.ts'
import { runRetention } from './run.ts'
import { createSegmentUpkeep } from './segment-upkeep.ts'

export interface RetentionOptions {
  pool: Pool
  logger: Logger
  metrics: Registry
  /** Days whose rows are kept, today not counted; 90 unless told. */
  keepDays?: number
  /** Days ahead that have a partition; 7 unless told. */
  premakeDays?: number
  /** Days back that late events may still go to; the late window of the contracts unless told. */
  lateDays?: number
  /** How long after its end a day is closed; 1 h unless told. */
  closeAfterMs?: number
  /** Between two runs; 1 h unless told. After a run with problems it is less. */
  everyMs?: number
  /** Between two looks whether a day that is needed now went missing, which does not wait for the next run; 30 s unless told. */
  lookEveryMs?: number
  /** Between two counts of what is missing for the ledger, beside the one of each run; 5 minutes unless told. */
  countEveryMs?: number
  /** Between two looks for closed days whose segment lacks late events, beside the one of each run; 60 s unless told. */
  segmentsEveryMs?: number
  /** Milliseconds since 1970. */
  clock?: () => number
}

export interface Retention extends Component {
  /** Whether today and tomorrow have a partition, and nothing is kept for more than a day too long. */
  check: HealthCheck
  /** Runs now; while a run is under way, resolves with that one's report. */
  runNow(): Promise<RetentionReport>
}

const HOUR_MS = 60 * 60 * 1000
const LATE_DAYS = Math.ceil(LIMITS.LATE_WINDOW_MS / (24 * HOUR_MS))
const RETRY_MS = 30_000
const COUNT_EVERY_MS = 5 * 60 * 1000
const SEGMENTS_EVERY_MS = 60_000
/** While Postgres is away: the longest pause between two tries, each of which is one connection. */
const UNREACHED_MS = 15_000
/** The longest that a start waits for the first run, and a stop for the last. */
const WAIT_MS = 2000

/**
 * Makes days ahead, closes days that are over and builds their segments, drops old ones, and counts what is missing: at start, then on a
 * schedule.
 */
export function createRetention(options: RetentionOptions): Retention {
  const { pool, logger } = options
  const { keepDays = 90, premakeDays = 7, lateDays = LATE_DAYS, closeAfterMs = HOUR_MS, everyMs = HOUR_MS } = options
  const { lookEveryMs = RETRY_MS } = options
  const clock = options.clock ?? Date.now
  if (keepDays <= lateDays) throw new RangeError(`keepDays (${keepDays}) must be more than lateDays (${lateDays})`)
  const metrics = retentionMetrics(options.metrics)
  const missing = createMissingCount({
    ...{ pool, logger, metrics: options.metrics },
    everyMs: options.countEveryMs ?? COUNT_EVERY_MS,
  })
  const segments = createSegmentUpkeep({
    ...{ pool, logger, metrics: options.metrics },
    everyMs: options.segmentsEveryMs ?? SEGMENTS_EVERY_MS,
  })
  const stopping = new AbortController()
  let running: Promise<RetentionReport> | undefined
  let pid: number | undefined
  let timer: NodeJS.Timeout | undefined
  let looking: NodeJS.Timeout | undefined
  let failures = 0
  let last: { atMs: number; problems: number } | undefined
  let before: RetentionReport | undefined

  async function run(onPremade: () => void): Promise<RetentionReport> {
    const startedAt = clock()
    await segments.stepAside()
    const report = await runRetention({
      ...{ pool, keepDays, premakeDays, lateDays, closeAfterMs, onPremade },
      nowMs: startedAt,
      signal: stopping.signal,
      onSession: (backend) => {
        pid = backend
      },
    }).finally(segments.goOn)
    segments.leaveRaw(report.leftRaw.map(({ day }) => day))
    segments.built(report.segmented.length)
    if (!stopping.signal.aborted && !report.problems.some(({ step }) => step === 'connect' || step === 'lock'))
      await missing.countNow().catch((error: Error) => {
        report.problems.push({ step: 'missing', message: error.message })
      })
    last = { atMs: clock(), problems: report.problems.length }
    metrics.lastRun.set(last.atMs / 1000)
    metrics.dropped.inc(report.dropped.length)
    metrics.closed.inc(report.closed.length)
    metrics.premade.set(
      await listPartitions(pool).then(
        (all) => leadDays(all, clock()),
        () => 0,
      ),
    )
    const { problems, ...done } = report
    if (isUnreached(report) && isUnreached(before)) return report
    for (const problem of problems) logger.warn({ ...problem }, 'retention could not do a step; it will try again')
    logger.info({ ...done, problems: problems.length, ms: clock() - startedAt }, 'retention ran')
    return report
  }

  function runNow(onPremade: () => void = () => undefined): Promise<RetentionReport> {
    running ??= run(onPremade).finally(() => {
      running = undefined
    })
    return running
  }

  async function runAndSchedule(onPremade?: () => void): Promise<void> {
    const report = await runNow(onPremade)
    const unreached = isUnreached(report)
    failures = report.problems.length === 0 ? 0 : unreached === isUnreached(before) ? failures + 1 : 1
    before = report
    if (stopping.signal.aborted) return
    const [first, most] = unreached ? [500, UNREACHED_MS] : [RETRY_MS, everyMs]
    const pause = failures === 0 ? everyMs : Math.min(most, everyMs, first * 2 ** Math.min(failures - 1, 10))
    timer = setTimeout(() => void runAndSchedule(), pause)
  }

  const check: HealthCheck = () => checkPartitions({ pool, keepDays, nowMs: clock(), last })

  /** Runs as soon as /readyz would complain. While nobody answers there is nothing to do here: a run would fail, too. */
  async function look(): Promise<void> {
    const health = await Promise.resolve(check()).catch(() => undefined)
    if (health?.ok === false && !stopping.signal.aborted) await runNow()
  }

  return {
    name: 'retention',
    /** Resolves when writers have the days they need, or these cannot be made soon; the rest goes on. */
    async start() {
      missing.start()
      segments.start()
      looking = setInterval(() => void look(), lookEveryMs)
      const premade = new Promise<void>((resolve) => void runAndSchedule(resolve).then(resolve))
      await Promise.race([premade, sleep(WAIT_MS, undefined, { ref: false })])
    },
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      clearInterval(looking)
      if (running !== undefined && pid !== undefined) void cancel(pool, pid)
      await Promise.race([
        Promise.all([running, missing.stop(), segments.stop()]),
        sleep(WAIT_MS, undefined, { ref: false }),
      ])
    },
    check,
    runNow: () => runNow(),
  }
}

/** Postgres did not answer, or not to the end: nothing else can have been done. */
function isUnreached(report: RetentionReport | undefined): boolean {
  return report?.problems.some(({ step }) => step === 'connect') ?? false
}

/** What is cancelled leaves nothing that the next run does not repair. */
async function cancel(pool: Pool, pid: number): Promise<void> {
  await pool.query('select pg_cancel_backend($1)', [pid]).catch(() => undefined)
}

function retentionMetrics(registry: Registry) {
  const registers = [registry]
  return {
    premade: new Gauge({
      name: 'retention_premade_days',
      help: 'Days ahead of today that have a partition',
      registers,
    }),
    dropped: new Counter({ name: 'retention_dropped_days_total', help: 'Days dropped with their rows', registers }),
    closed: new Counter({ name: 'retention_closed_days_total', help: 'Days closed', registers }),
    lastRun: new Gauge({ name: 'retention_last_run_timestamp_seconds', help: 'End of the last run', registers }),
  }
}
