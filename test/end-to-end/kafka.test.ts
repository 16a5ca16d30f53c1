import { spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeDataDir } from '../support/data-dir.ts'
import { kafkaBrokers, kafkaMissing } from '../support/kafka.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { freePort, type ServingProcess, startService } from '../support/process.ts'
import { startStandalone } from '../support/standalone.ts'
import { expectStoredOnce } from '../support/stored.ts'
import { startTraffic } from '../support/traffic.ts'

const EVENTS = 3000

let database: TestDatabase
let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let env: Record<string, string>
let running: ServingProcess[] = []

beforeEach(async (context) => {
  context.skip(kafkaMissing() !== null, kafkaMissing() ?? '')
  database = await createTestDatabase()
  dataDir = await makeDataDir()
  env = { KAFKA_BROKERS: kafkaBrokers().join(','), DATABASE_URL: database.connectionString, DATA_DIR: dataDir.path }
})

afterEach(async () => {
  await Promise.all(running.map((service) => service.stop()))
  running = []
  await database?.drop()
  await dataDir?.remove()
})

async function start(name: 'collector' | 'consumer'): Promise<ServingProcess> {
  const service = await startService(name, { port: await freePort(), env })
  running.push(service)
  return service
}

test(`${EVENTS} events from tracker over Kafka to SQL are stored once, with one of two consumers killed`, async () => {
  const writeKey = `pk_${randomUUID()}`
  await database.pool.query(
    `insert into events_internal.event_sources (name, write_key, secret_key_hash) values ('test', $1, $2)`,
    [writeKey, createHash('sha256').update(randomUUID()).digest()],
  )
  const collector = await start('collector')
  const first = await start('consumer')
  await start('consumer')
  const traffic = startTraffic({ url: collector.url, writeKey, events: EVENTS })
  await vi.waitUntil(() => traffic.tracked() > EVENTS / 2, { timeout: 60_000, interval: 5 })
  await first.kill()
  await start('consumer')
  await traffic.acknowledged
  await expectStoredOnce(database.pool, traffic.run, EVENTS)
  const { rows } = await database.pool.query('select topic_partition from events_internal.consumer_offsets')
  expect(rows.length).toBeGreaterThan(1)
})

test('the same npm start runs on the Kafka and the Postgres that the environment names', async () => {
  const standalone = await startStandalone({ dataDir: dataDir.path, port: await freePort(), env })
  running.push(standalone)
  expect(standalone.output()).toContain('log: Kafka; database: DATABASE_URL')
  expect(standalone.output()).not.toContain('Kafka is not reached')
  expect(standalone.access.database_url).toBeUndefined()
  const traffic = startTraffic({ url: standalone.url, writeKey: standalone.access.secret_key, events: 200 })
  await traffic.acknowledged
  await expectStoredOnce(database.pool, traffic.run, 200)
  const { rows } = await database.pool.query('select distinct topic from events_internal.consumer_offsets')
  expect(rows).toEqual([{ topic: 'platform.events.v1' }])
})

test('npm start without its Kafka says so, takes events all the same, and ends in time', async () => {
  const nobody = `127.0.0.1:${await freePort()}`
  const port = await freePort()
  const child = spawn(process.execPath, ['infra/run.mjs', 'start'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, ...env, KAFKA_BROKERS: nobody, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
  })
  try {
    await vi.waitFor(() => expect(output).toContain('platform-events is ready'), { timeout: 60_000 })
    expect(output).toContain(`Kafka is not reached (Kafka at ${nobody}`)
    const { url, secret_key } = JSON.parse(await readFile(join(dataDir.path, 'access.json'), 'utf8'))
    const traffic = startTraffic({ url, writeKey: secret_key, events: 100 })
    await traffic.acknowledged
    const { parts } = (await (await fetch(`${url}/readyz`)).json()) as { parts: Record<string, object> }
    expect(parts['log']).toMatchObject({ ok: true, degraded: true, detail: expect.stringContaining('100 events') })
  } finally {
    const begun = performance.now()
    child.kill('SIGINT')
    await once(child, 'exit')
    expect(performance.now() - begun).toBeLessThan(10_000)
  }
  expect(child.exitCode).toBe(0)
})
