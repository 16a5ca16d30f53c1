import { randomUUID } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createTracker } from '@platform-events/tracker'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeDataDir } from '../support/data-dir.ts'
import { freePort } from '../support/process.ts'
import { watchRssAnon } from '../support/process-memory.ts'
import { freezeTree } from '../support/process-tree.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { connect, expectStoredOnce } from '../support/stored.ts'

const LOG_BYTES = 64 * 1024 * 1024
const PER_REQUEST = 16

let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let running: Standalone | undefined
let thaw = (): void => undefined

beforeEach(async (context) => {
  context.skip(process.platform !== 'linux', 'memory and processes are looked at by /proc')
  dataDir = await makeDataDir()
})
afterEach(async () => {
  thaw()
  await running?.stop()
  await dataDir?.remove()
})

async function freezePostgres(): Promise<void> {
  thaw = freezeTree(Number.parseInt(await readFile(join(dataDir.path, 'postgres', 'postmaster.pid'), 'utf8'), 10))
}

test('with Postgres frozen the log grows and not the memory, a full log is 503 with Retry-After, which the tracker honours; then all is stored', async () => {
  const port = await freePort()
  running = await startStandalone({ dataDir: dataDir.path, port, env: { LOG_MAX_BYTES: String(LOG_BYTES) } })
  const { url, access, pid } = running
  const run = randomUUID()
  await freezePostgres()

  const memory = watchRssAnon(pid)
  let events = 0
  let refusal: Response | undefined
  async function sendUntilRefused(): Promise<void> {
    while (refusal === undefined) {
      const batch = Array.from({ length: PER_REQUEST }, () => ({
        event_type: 'SearchStarted',
        session_id: run,
        properties: { run, n: events++, text: 'x'.repeat(30_000) },
      }))
      const answer = await fetch(`${url}/v1/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${access.write_key}` },
        body: JSON.stringify({ batch }),
      })
      if (answer.status === 202) continue
      refusal = answer
      events -= PER_REQUEST
    }
  }
  await sendUntilRefused()
  expect(await refusal?.json()).toMatchObject({ code: 'log_unavailable' })
  expect({ status: refusal?.status, retry: refusal?.headers.get('retry-after') }).toEqual({ status: 503, retry: '1' })
  expect(events * 30_000).toBeGreaterThan(LOG_BYTES * 0.8)
  expect((await stat(join(dataDir.path, 'log', 'log.mdb'))).size).toBeLessThan(LOG_BYTES * 1.1 + 2 * 4_200_000)
  expect(memory.highestMb()).toBeLessThan(250)
  memory.stop()

  const answers: { at: number; status: number }[] = []
  const realFetch = globalThis.fetch
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (...call) => {
    const at = Date.now()
    const answer = await realFetch(...call)
    answers.push({ at, status: answer.status })
    return answer
  })
  const lost: string[] = []
  const tracker = createTracker({
    url,
    writeKey: access.write_key,
    resolveWithinMs: 60_000,
    onError: (problem) => problem.lost && lost.push(problem.code),
  })
  // More than a log has room for that had none for a request of half a megabyte.
  const delivered = Array.from({ length: 100 }, () => {
    const properties = { city: 'Cali', run, n: events++, text: 'x'.repeat(30_000) } as { city: string }
    return tracker.trackEvent('SearchStarted', properties, null)
  })
  await expect.poll(() => answers, { timeout: 10_000 }).toContainEqual(expect.objectContaining({ status: 503 }))
  thaw()
  await Promise.all(delivered)
  vi.mocked(globalThis.fetch).mockRestore()
  expect(lost).toEqual([])
  const pauses = answers.slice(1).flatMap(({ at }, n) => (answers[n]!.status === 503 ? [at - answers[n]!.at] : []))
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(1000)
  await tracker.closeAnalytics()

  const pool = connect(access.database_url)
  await expectStoredOnce(pool, run, events)
  await pool.end()
})
