import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '@platform-events/postgres'
import { makeDataDir } from '../support/data-dir.ts'
import { deadLetterDesk } from './dead-letter-desk.ts'
import { perform } from './faults.ts'
import { startKafkaSystem } from './kafka-system.ts'
import { watchLedger } from './ledger.ts'
import { startLocalSystem } from './local-system.ts'
import { LogOrder } from './log-order.ts'
import type { Battlefield, Performed } from './performed.ts'
import { randomOf } from './random.ts'
import { untilReady } from './readiness.ts'
import type { Report } from './report.ts'
import { type Fault, schedule } from './schedule.ts'
import { groundOf, type Settings } from './settings.ts'
import type { System } from './system.ts'
import { startTraffic, type Traffic } from './traffic.ts'
import { countThere, reachVerdict } from './verdict.ts'

const SETTLE_MS = 120_000
/** How long faults may go on after the last one: most wait for the system to take an event again. */
const FAULTS_END_MS = 90_000
/** How long nothing may move before we say that it will not. */
const STANDSTILL_MS = 60_000
/** What would come twice has come by then. */
const QUIET_MS = 3000

/** One run: start, attack, wait for quiet, compare. @returns whether every promise was kept */
export async function runChaos(settings: Settings, report: Report): Promise<boolean> {
  report.begin()
  const { path: folder, remove } = await makeDataDir()
  // By this the reaper knows what is ours.
  await writeFile(join(folder, 'owner'), String(process.pid))
  let kept = false
  let system: System | undefined
  try {
    const start = settings.transport === 'local' ? startLocalSystem : startKafkaSystem
    const onDeath = (name: string, lastWords: string): void => report.line(`${name} ended by itself: ${lastWords}`)
    system = await start({ folder, onDeath, ...groundOf(settings) })
    kept = await attackAndCompare(settings, system, report)
  } catch (error) {
    report.failed(error)
  } finally {
    await system?.stop().catch((error: unknown) => report.line(`not ended in order: ${error}`))
    if (kept) await remove()
    else {
      // No longer the reaper's.
      await rm(join(folder, 'owner'))
      report.kept(folder)
    }
  }
  return kept
}

async function attackAndCompare(settings: Settings, system: System, report: Report): Promise<boolean> {
  const { postgres, processes, doors, writeKey } = system
  const random = randomOf(settings.seed + 1)
  const traffic = startTraffic({ doors, writeKey, random, eventsPerSecond: settings.eventsPerSecond })
  const letters = deadLetterDesk(system.queryUrl, system.operatorToken)
  const ledger = watchLedger(postgres.pool)
  report.started(traffic.sent, system)
  await attack(settings, { system, traffic, letters }, report)

  report.line('all faults are over; waiting for quiet')
  const settled = await traffic.finish(SETTLE_MS)
  await untilQuiet(postgres.pool, traffic)
  await untilReady(processes.map(({ port }) => port))
  await letters.finish()
  const verdict = await reachVerdict(postgres.pool, traffic.sent)
  verdict.checks.push(...(await ledger.end(traffic.sent.acknowledged)))
  const order = new LogOrder(traffic.sent)
  await system.readLog((topicPartition, value) => order.take(topicPartition, value))
  const { sessions, broken: disordered } = order.result()
  verdict.counts.push(['events in the log', order.events], ['sessions whose order in the log was checked', sessions])
  verdict.checks.push(
    { name: 'out of order in the log', broken: disordered },
    { name: 'given up by a tracker', broken: settled ? traffic.lost : [...traffic.lost, 'still waiting'] },
    { name: 'odd answers to operators', broken: letters.oddAnswers },
  )
  const deaths = processes.reduce((sum, process) => sum + process.deaths.length, 0)
  return report.verdict(verdict, traffic.sent, deaths)
}

async function attack(settings: Settings, field: Battlefield, report: Report): Promise<void> {
  const begun = Date.now()
  const forMs = settings.minutes * 60_000
  const underWay = new Map<Fault, Promise<unknown>>()
  for (const fault of schedule(settings.seed, groundOf(settings), forMs, settings.everySeconds * 1000)) {
    if (settings.without.includes(fault.kind)) continue
    await sleep(Math.max(0, begun + fault.atMs - Date.now()))
    underWay.set(
      fault,
      tell(fault, perform(fault, field), report).then(() => underWay.delete(fault)),
    )
  }
  await sleep(Math.max(0, begun + forMs - Date.now()))
  await Promise.race([Promise.all(underWay.values()), sleep(FAULTS_END_MS)])
  for (const { kind } of underWay.keys()) report.line(`${kind} does not end`)
}

/** One line for a fault at its start, and another when it is over where there is more to say. */
async function tell(fault: Fault, { says, over, passedOver }: Performed, report: Report): Promise<void> {
  report.fault(fault, says, passedOver === true)
  const outcome = await over.catch((error: Error) => `failed: ${error.message}`)
  if (outcome !== undefined) report.line(`  └ ${fault.kind}: ${outcome}`)
}

/** Until as many events are there as were acknowledged, and no more come. */
async function untilQuiet(pool: Pool, { sent }: Traffic): Promise<void> {
  let movedAt = Date.now()
  let last = -1
  while (Date.now() - movedAt < STANDSTILL_MS) {
    const there = await countThere(pool)
    if (there !== last) movedAt = Date.now()
    else if (there >= sent.acknowledged && Date.now() - movedAt > QUIET_MS) return
    last = there
    await sleep(500)
  }
}
