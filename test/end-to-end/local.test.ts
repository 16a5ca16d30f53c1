import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeDataDir } from '../support/data-dir.ts'
import { freePort } from '../support/process.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { connect, expectStoredOnce } from '../support/stored.ts'
import { startTraffic } from '../support/traffic.ts'

const EVENTS = 3000
const KILLS = 3

let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let port: number
let running: Standalone

beforeEach(async () => {
  dataDir = await makeDataDir()
  port = await freePort()
  running = await startStandalone({ dataDir: dataDir.path, port })
})

afterEach(async () => {
  await running.stop()
  await dataDir.remove()
})

test(`${EVENTS} events from tracker to SQL are stored once, with the process killed ${KILLS} times under load`, async () => {
  const traffic = startTraffic({ url: running.url, writeKey: running.access.write_key, events: EVENTS })
  for (let kill = 1; kill <= KILLS; kill++) {
    // Some events are acknowledged and not stored then, some sent and not acknowledged.
    await vi.waitUntil(() => traffic.tracked() > (kill * EVENTS) / (KILLS + 1), { timeout: 60_000, interval: 5 })
    await running.kill()
    running = await startStandalone({ dataDir: dataDir.path, port })
    expect(running.output()).toContain('left running by a killed process')
  }
  await traffic.acknowledged
  const pool = connect(running.access.database_url)
  await expectStoredOnce(pool, traffic.run, EVENTS)
  await pool.end()
})
