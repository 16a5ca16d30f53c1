import { setTimeout as sleep } from 'node:timers/promises'
import { createPool, type Pool } from '@platform-events/postgres'
import { type Performed, perform } from './faults.ts'
import { startKafkaSystem } from './kafka-system.ts'
import { startLocalSystem } from './local-system.ts'
import { randomOf } from './random.ts'
import { untilReady } from './readiness.ts'
import { createReport, type Report } from './report.ts'
import { type Fault, schedule } from './schedule.ts'
import type { Settings } from './settings.ts'
import type { System } from './system.ts'
import { startTraffic, type Traffic } from './traffic.ts'
import { progress, reachVerdict } from './verdict.ts'

const SETTLE_MS = 120_000
/** How long faults may go on after the last one: most wait for the system to take an event again. */
const FAULTS_END_MS = 90_000
/** How long nothing may move before we say that it will not. */
const STANDSTILL_MS = 60_000
/** What would come twice has come by then. */
const QUIET_MS = 3000

/** One run: start, attack, wait for quiet, compare. @returns whether every promise was kept */
export async function runChaos(settings: Settings, interrupted: AbortSignal): Promise<boolean> {
  const report = createReport(settings)
  report.begin()
  const start = settings.transport === 'local' ? startLocalSystem : startKafkaSystem
  const system = await start((name, lastWords) => report.line(`${name} ended by itself: ${lastWords}`))
  const pool = createPool({ connectionString: system.databaseUrl, applicationName: 'chaos', max: 3 })
  let kept = false
  try {
    kept = await Promise.race([attackAndCompare(settings, system, pool, report, interrupted), rejectsOn(interrupted)])
  } catch (error) {
    if (interrupted.aborted) report.line('stopped: everything is ended and removed')
    else report.failed(error)
  } finally {
    const keepData = !kept && !interrupted.aborted
    if (keepData) report.kept(system.folder)
    await pool.end()
    await system.stop(keepData)
  }
  return kept
}

async function attackAndCompare(
  settings: Settings,
  system: System,
  pool: Pool,
  report: Report,
  interrupted: AbortSignal,
): Promise<boolean> {
  const traffic = startTraffic({
    ...{ url: system.url, writeKey: system.writeKey, eventsPerSecond: settings.eventsPerSecond },
    random: randomOf(settings.seed + 1),
  })
  report.started(traffic.sent, system)
  await attack(settings, { system, traffic, pool }, report, interrupted)

  report.line('all faults are over; waiting for quiet')
  const settled = await traffic.finish(SETTLE_MS)
  await untilQuiet(pool, traffic, interrupted)
  await untilReady(system.processes.map(({ port }) => port))
  const verdict = await reachVerdict(pool, traffic.sent)
  verdict.checks.push({
    name: 'given up by a tracker',
    broken: settled ? traffic.lost : [...traffic.lost, 'still waiting'],
  })
  const deaths = system.processes.reduce((sum, process) => sum + process.deaths.length, 0)
  return report.verdict(verdict, traffic.sent, deaths)
}

async function attack(
  settings: Settings,
  field: { system: System; traffic: Traffic; pool: Pool },
  report: Report,
  interrupted: AbortSignal,
): Promise<void> {
  const begun = Date.now()
  const forMs = settings.minutes * 60_000
  const underWay: Promise<unknown>[] = []
  for (const fault of schedule(settings.seed, settings.transport, forMs, settings.everySeconds * 1000)) {
    await sleep(Math.max(0, begun + fault.atMs - Date.now()), undefined, { signal: interrupted })
    underWay.push(tell(fault, perform(fault, field), report))
  }
  await sleep(Math.max(0, begun + forMs - Date.now()), undefined, { signal: interrupted })
  await Promise.race([Promise.all(underWay), sleep(FAULTS_END_MS)])
}

/** One line for a fault: at its start, or when it is over where its outcome is part of the line. */
async function tell(fault: Fault, { says, over, passedOver }: Performed, report: Report): Promise<void> {
  report.fault(fault, says, passedOver === true)
  const outcome = await over.catch((error: Error) => `failed: ${error.message}`)
  if (outcome !== undefined) report.line(`  └ ${fault.kind}: ${outcome}`)
}

function rejectsOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
  })
}

async function untilQuiet(pool: Pool, traffic: Traffic, interrupted: AbortSignal): Promise<void> {
  let movedAt = Date.now()
  let last = -1
  while (Date.now() - movedAt < STANDSTILL_MS) {
    const { missing, there } = await progress(pool, traffic.sent)
    if (there !== last) movedAt = Date.now()
    else if (missing === 0 && Date.now() - movedAt > QUIET_MS) return
    last = there
    await sleep(500, undefined, { signal: interrupted })
  }
}
