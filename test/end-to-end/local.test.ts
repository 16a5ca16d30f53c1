import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { freePort } from '../support/process.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { connect, expectStoredOnce } from '../support/stored.ts'
import { startTraffic } from '../support/traffic.ts'

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

test(`${EVENTS} events from tracker to SQL are stored once, with the process killed ${KILLS} times under load`, async () => {
  const traffic = startTraffic({ url: running.url, writeKey: running.access.write_key, events: EVENTS })
  for (let kill = 1; kill <= KILLS; kill++) {
    // Some events are acknowledged and not stored then, some sent and not acknowledged.
    await vi.waitUntil(() => traffic.tracked() > (kill * EVENTS) / (KILLS + 1), { timeout: 60_000, interval: 5 })
    await running.kill()
    running = await startStandalone({ dataDir, port })
    expect(running.output()).toContain('left running by a killed process')
  }
  await traffic.acknowledged
  const pool = connect(running.access.database_url)
  await expectStoredOnce(pool, traffic.run, EVENTS)
  await pool.end()
})
