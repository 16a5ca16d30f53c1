import type { Pool } from '@platform-events/postgres'
import { closeDay, closedDays } from './close-day.ts'
import { addDays, type Day, dayAt, endOf } from './day.ts'
import { dropDay } from './drop-day.ts'
import { makeDay, missingDays } from './make-days.ts'
import { listPartitions } from './partitions.ts'
import type { Problem, RetentionReport } from './report.ts'
import { buildSegments } from './segment-upkeep.ts'
import { openSession, type RetentionSession, withRetries } from './session.ts'

export interface RunOptions {
  pool: Pool
  keepDays: number
  premakeDays: number
  lateDays: number
  /** How long after its end a day is closed: by then most late events have come. */
  closeAfterMs: number
  nowMs: number
  /** Ends the run between two statements. */
  signal: AbortSignal
  /** Called with the backend's pid while the run holds one, so that a shutdown can cancel a long statement. */
  onSession(pid: number | undefined): void
  /** Called when every day that writers need now has its partition. */
  onPremade(): void
}

const CLOCKS_APART_MS = 36 * 60 * 60 * 1000

/**
 * One run of retention: whole what a kill left, premake, drop, anonymise, close, build segments; in this order, because a day that is
 * missing stops writers, and one that is not closed stops nobody. What fails is reported and does not stop the rest.
 */
export async function runRetention(options: RunOptions): Promise<RetentionReport> {
  const report: RetentionReport = {
    premade: [],
    repaired: [],
    dropped: [],
    closed: [],
    segmented: [],
    leftRaw: [],
    problems: [],
  }
  let session: RetentionSession | null
  try {
    session = await openSession(options.pool)
  } catch (error) {
    report.problems.push({ step: 'connect', message: messageOf(error) })
    return report
  }
  if (session === null) {
    report.problems.push({ step: 'lock', message: 'another retention process is at work' })
    return report
  }
  try {
    options.onSession(session.pid)
    await runSteps(session, options, report)
  } catch (error) {
    report.problems.push({ step: 'connect', message: messageOf(error) })
  } finally {
    options.onSession(undefined)
    await session.close()
  }
  return report
}

async function runSteps(session: RetentionSession, options: RunOptions, report: RetentionReport): Promise<void> {
  const { signal, nowMs } = options
  const today = dayAt(nowMs)
  const firstKept = addDays(today, -options.keepDays)

  async function each(step: Problem['step'], days: Day[], done: Day[], work: (day: Day) => Promise<void>) {
    for (const day of days) {
      if (signal.aborted) {
        report.problems.push({ step, day, message: 'stopped before it was done' })
        return
      }
      try {
        await withRetries(() => work(day), signal)
        done.push(day)
      } catch (error) {
        report.problems.push({ step, day, message: messageOf(error) })
      }
    }
  }
  const daysOf = async (...states: string[]): Promise<Day[]> =>
    (await listPartitions(session.client)).filter(({ state }) => states.includes(state)).map(({ day }) => day)

  const [from, to] = [addDays(today, -options.lateDays), addDays(today, options.premakeDays)]
  const halfMade = await daysOf('pending', 'detached')
  const toRepair = halfMade.filter((day) => day >= firstKept)
  await each('repair', toRepair, report.repaired, (day) => makeDay(session, day))
  const toMake = (await missingDays(session, from, to)).filter((day) => !toRepair.includes(day))
  await each('premake', toMake, report.premade, (day) => makeDay(session, day))
  options.onPremade()

  const clockProblem = await clocksApart(session, nowMs)
  if (clockProblem !== null) {
    report.problems.push({ step: 'clock', message: clockProblem })
    return
  }
  // A pending one first, because no other can be detached beside it.
  const overdue = [...(await daysOf('pending')), ...(await daysOf('detached', 'attached'))]
  const toDrop = overdue.filter((day) => day < firstKept)
  await each('drop', toDrop, report.dropped, (day) => dropDay(session, day))

  try {
    await withRetries(() => session.run('select events_internal.anonymise_late_events()', 3000), signal)
  } catch (error) {
    report.problems.push({ step: 'anonymise', message: messageOf(error) })
  }

  const closed = await closedDays(session)
  const toClose = (await daysOf('attached')).filter(
    (day) => day >= firstKept && !closed.has(day) && endOf(day) + options.closeAfterMs <= nowMs,
  )
  await each('close', toClose, report.closed, (day) => closeDay(session, day))

  const built = await buildSegments(session, { signal, keepFrom: firstKept })
  report.segmented.push(...built.segmented)
  report.leftRaw.push(...built.leftRaw)
  report.problems.push(...built.problems)
}

/**
 * A clock that runs ahead would drop every day there is. So the process's and Postgres's must agree, within more than time zones
 * or a restart in between explain; days ahead are made all the same, since they cost nothing.
 */
async function clocksApart(session: RetentionSession, nowMs: number): Promise<string | null> {
  const { rows } = await session.client.query<{ now: string }>(`select extract(epoch from now()) * 1000 as now`)
  const databaseMs = Number(rows[0]!.now)
  if (Math.abs(databaseMs - nowMs) <= CLOCKS_APART_MS) return null
  const [here, there] = [new Date(nowMs).toISOString(), new Date(databaseMs).toISOString()]
  return `this machine says ${here} and Postgres ${there}: nothing is dropped or closed until the clocks agree`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
