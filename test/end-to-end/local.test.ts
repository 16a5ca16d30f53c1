import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTracker } from '@platform-events/tracker'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { freePort, type Standalone, startStandalone } from '../support/standalone.ts'
import { connect, rollupDifferences, storedEvents } from '../support/stored.ts'

const EVENTS = 3000
const KILLS = 3

let dataDir: string
let port: number
let running: Standalone

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'platform-events-'))
  port = await freePort()
  running = await startStandalone({ dataDir, port })
})

afterEach(async () => {
  await running.stop()
  await rm(dataDir, { recursive: true, force: true })
})

test(`${EVENTS} events through tracker, collector, local log, consumer and SQL are stored once, over ${KILLS} kills`, async () => {
  const run = randomUUID()
  const given: string[] = []
  const tracker = createTracker({
    url: running.url,
    writeKey: running.access.write_key,
    flushIntervalMs: 20,
    onError: (problem) => problem.lost && given.push(problem.code),
  })
  const sent = send(tracker, run)
  for (let kill = 0; kill < KILLS; kill++) {
    // Killed while events are under way: some acknowledged and not stored, some sent and not acknowledged.
    await vi.waitUntil(() => sent.progress() > ((kill + 1) * EVENTS) / (KILLS + 2), { timeout: 60_000, interval: 5 })
    await running.kill()
    running = await startStandalone({ dataDir, port })
    expect(running.output()).toMatch(/recover|left running|stopped it/i)
  }
  await sent.done
  expect(await tracker.close(60_000)).toBe(true)
  expect(given).toEqual([])

  const pool = connect(running.access.database_url!)
  await vi.waitFor(async () => expect((await storedEvents(pool, run)).ids.size).toBe(EVENTS), { timeout: 30_000 })
  expect((await storedEvents(pool, run)).rows).toBe(EVENTS)
  expect(await rollupDifferences(pool)).toEqual([])
  await pool.end()
})

/** Tracks the events a few at a time, so that kills fall between, before and after requests. */
function send(tracker: ReturnType<typeof createTracker>, run: string) {
  let count = 0
  const track = async (): Promise<void> => {
    while (count < EVENTS) {
      const n = count++
      void tracker.trackEvent('SearchStarted', { city: 'Cali', run, n } as { city: string }, null, `visitor-${n % 50}`)
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  return { done: track(), progress: () => count }
}
