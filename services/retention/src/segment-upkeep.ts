import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '@platform-events/postgres'
import { Counter, type Logger, type Registry } from '@platform-events/runtime'
import { buildSegment } from './build-segment.ts'
import type { Day } from './day.ts'
import { FenceError } from './fence.ts'
import { listPartitions } from './partitions.ts'
import type { RetentionReport } from './report.ts'
import { UnfitDayError } from './segment-rows.ts'
import { segmentsToBuild } from './segments-to-build.ts'
import { openSession, type RetentionSession, withRetries } from './session.ts'

export type SegmentReport = Pick<RetentionReport, 'segmented' | 'leftRaw' | 'problems'>

/** Builds the segments that are not up to date. What fails is reported, and does not stop the rest. */
export async function buildSegments(
  session: RetentionSession,
  options: { signal: AbortSignal; keepFrom?: Day; except?: Set<Day> },
): Promise<SegmentReport> {
  const report: SegmentReport = { segmented: [], leftRaw: [], problems: [] }
  const { signal, keepFrom = '', except } = options
  const attached = new Set(
    (await listPartitions(session.client)).filter(({ state }) => state === 'attached').map(({ day }) => day),
  )
  const days = (await segmentsToBuild(session)).filter(
    (day) => attached.has(day) && day >= keepFrom && !except?.has(day),
  )
  for (const day of days) {
    if (signal.aborted) {
      report.problems.push({ step: 'segment', day, message: 'stopped before it was done' })
      break
    }
    try {
      await withRetries(() => buildSegment(session, day, { signal }), signal)
      report.segmented.push(day)
    } catch (error) {
      const { message } = error as Error
      if (error instanceof UnfitDayError) report.leftRaw.push({ day, reason: message })
      else report.problems.push({ step: 'segment', day, message })
      if (error instanceof FenceError) break
    }
  }
  return report
}

export interface SegmentUpkeepOptions {
  pool: Pool
  logger: Logger
  metrics: Registry
  /** Between two looks; longer where building takes long. */
  everyMs: number
}

/** Builds segments again between two runs, when late events have come. */
export interface SegmentUpkeep {
  start(): void
  /** Resolves when nothing is being built, and nothing will be until `goOn`: a run wants the session. */
  stepAside(): Promise<void>
  goOn(): void
  /** What a run found that no segment can hold. */
  leaveRaw(days: Day[]): void
  built(days: number): void
  /** Ends what is under way. */
  stop(): Promise<void>
}

/** Building, of a core, may have a twentieth, however many late events come. */
const PAUSE_PER_BUILD = 20

// A mark may be left over from a day that is read raw now; the next run that drops a day removes it.
const ANYTHING_TO_DO = `
select exists (select from events_internal.segment_changes m
                where m.day is null
                   or exists (select from events_internal.closed_days c join events_internal.event_segments s using (day) where c.day = m.day)) as yes`

export function createSegmentUpkeep(options: SegmentUpkeepOptions): SegmentUpkeep {
  const { pool, logger, everyMs } = options
  const counter = new Counter({
    name: 'retention_built_segments_total',
    help: 'Segments of closed days built, or built again because of late events',
    registers: [options.metrics],
  })
  const unfit = new Set<Day>()
  let aside = new AbortController()
  let working: Promise<void> | undefined
  let pid: number | undefined
  let timer: NodeJS.Timeout | undefined
  let isStopping = false

  async function work(signal: AbortSignal): Promise<void> {
    const { rows } = await pool.query<{ yes: boolean }>(ANYTHING_TO_DO)
    if (rows[0]?.yes !== true || signal.aborted) return
    const session = await openSession(pool)
    if (session === null) return // a process that is at work finds them, too
    const startedAt = performance.now()
    try {
      pid = session.pid
      const { segmented, leftRaw, problems } = await buildSegments(session, { signal, except: unfit })
      for (const { day } of leftRaw) unfit.add(day)
      counter.inc(segmented.length)
      if (segmented.length > 0)
        logger.info({ days: segmented, ms: Math.round(performance.now() - startedAt) }, 'segments built again')
      if (!signal.aborted) for (const problem of problems) logger.warn({ ...problem }, 'a segment was not built')
    } finally {
      pid = undefined
      await session.close()
    }
  }

  function schedule(pauseMs: number): void {
    timer = setTimeout(async () => {
      const startedAt = performance.now()
      if (!aside.signal.aborted) {
        working = work(aside.signal).catch((error: Error) => {
          if (!isStopping) logger.warn({ err: error }, 'segments were not looked after; it will try again')
        })
        await working
        working = undefined
      }
      if (!isStopping) schedule(Math.max(everyMs, PAUSE_PER_BUILD * (performance.now() - startedAt)))
    }, pauseMs)
  }

  return {
    start: () => schedule(everyMs),
    async stepAside() {
      aside.abort()
      await working
    },
    goOn() {
      if (!isStopping) aside = new AbortController()
    },
    leaveRaw(days) {
      unfit.clear()
      for (const day of days) unfit.add(day)
    },
    built: (days) => counter.inc(days),
    async stop() {
      isStopping = true
      clearTimeout(timer)
      aside.abort()
      const underWay = working
      if (underWay === undefined) return
      if (pid !== undefined) await pool.query('select pg_cancel_backend($1)', [pid]).catch(() => undefined)
      await Promise.race([underWay, sleep(2000, undefined, { ref: false })])
    },
  }
}
