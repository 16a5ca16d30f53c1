import { createHash, randomUUID } from 'node:crypto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeDataDir } from '../support/data-dir.ts'
import { kafkaBrokers, kafkaMissing, uniqueTopic } from '../support/kafka.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { freePort, type ServiceName, type ServingProcess, startService } from '../support/process.ts'
import { startStandalone } from '../support/standalone.ts'
import { type SteadyLoad, startSteadyLoad } from '../support/steady-load.ts'
import { expectStoredOnce } from '../support/stored.ts'

const RESTARTS = 10
/** Of those through whose hands no event goes on its way. */
const FEW_RESTARTS = 4
const LONGEST_STOP_MS = 5000
/** Some fifty starts of a process. */
const LONG = { timeout: 300_000 }
const WAIT = { timeout: 60_000, interval: 20 }

let database: TestDatabase
let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let running: Set<ServingProcess>

beforeEach(async () => {
  database = await createTestDatabase()
  dataDir = await makeDataDir()
  running = new Set()
})

afterEach(async () => {
  await Promise.all([...running].map((one) => one.kill()))
  await database.drop()
  await dataDir.remove()
})

interface Storm {
  start(): Promise<ServingProcess>
  restarts: number
  /** Resolves when the process has something to do. */
  busy(one: ServingProcess): Promise<unknown>
  load?: SteadyLoad
}

/** Stops the process by SIGTERM in the middle of its work, and starts it again, many times in a row. @returns the longest stop, in ms */
async function restart({ start, restarts, busy, load }: Storm): Promise<number> {
  let longest = 0
  for (let left = restarts; left >= 0; left--) {
    const one = await start()
    running.add(one)
    await busy(one)
    if (left === 0) return longest
    const held = await load?.hold()
    const begun = performance.now()
    const stopping = one.stop('SIGTERM')
    if (held !== undefined) {
      await vi.waitFor(() => expect(one.output()).toContain('"msg":"stopping"'), WAIT)
      expect(await held.finish(), one.output()).toBe(202)
    }
    expect(await stopping, one.output()).toBe(0)
    longest = Math.max(longest, performance.now() - begun)
    running.delete(one)
    expect(longest, one.output()).toBeLessThan(LONGEST_STOP_MS)
  }
  return longest
}

/** Resolves when this many events more are acknowledged. */
async function moreThan(load: SteadyLoad, events: number): Promise<void> {
  const before = load.acknowledged()
  await vi.waitFor(() => expect(load.acknowledged()).toBeGreaterThan(before + events), WAIT)
}

const storing = (one: ServingProcess) =>
  vi.waitFor(() => expect(one.output()).toMatch(/"rows":[1-9].*"msg":"stored"/), WAIT)

async function addSource(): Promise<string> {
  const writeKey = `pk_${randomUUID()}`
  await database.pool.query(
    `insert into events_internal.event_sources (name, write_key, user_ids) values ('test', $1, 'drop')`,
    [writeKey],
  )
  return writeKey
}

test(
  'services over Kafka, each restarted in a row under load: short clean stops, nothing lost, nothing twice',
  LONG,
  async (context) => {
    context.skip(kafkaMissing() !== null, kafkaMissing() ?? '')
    const writeKey = await addSource()
    const operatorToken = `op_${randomUUID()}`
    await database.pool.query(`insert into events_internal.operator_tokens (token_hash, name) values ($1, 'test')`, [
      createHash('sha256').update(operatorToken).digest(),
    ])
    const env = {
      KAFKA_BROKERS: kafkaBrokers().join(','),
      KAFKA_TOPIC: uniqueTopic(),
      CONSUMER_GROUP: uniqueTopic('group'),
      DATABASE_URL: database.connectionString,
      DATA_DIR: dataDir.path,
    }
    const service = async (name: ServiceName) => {
      const port = await freePort()
      return { url: `http://127.0.0.1:${port}`, start: () => startService(name, { port, env }) }
    }
    const [collector, consumer, query, retention] = await Promise.all([
      service('collector'),
      service('consumer'),
      service('query'),
      service('retention'),
    ])
    const load = startSteadyLoad({ url: collector.url, writeKey })
    const headers = { authorization: `Bearer ${operatorToken}` }
    const asked = async () => expect((await fetch(`${query.url}/v1/counts`, { headers })).status).toBe(200)
    const longest = await Promise.all([
      restart({ start: collector.start, restarts: RESTARTS, load, busy: () => moreThan(load, 50) }),
      restart({ start: consumer.start, restarts: RESTARTS, busy: storing }),
      restart({ start: query.start, restarts: FEW_RESTARTS, busy: asked }),
      restart({ start: retention.start, restarts: FEW_RESTARTS, busy: async () => undefined }),
    ])
    await load.stop()
    console.log(`longest stops of collector, consumer, query, retention: ${longest.map(Math.round).join(', ')} ms`)
    await expectStoredOnce(database.pool, load.run, load.acknowledged())
  },
)

test(
  'npm start on the local log, restarted in a row under load: short clean stops, nothing lost, nothing twice',
  LONG,
  async () => {
    const writeKey = await addSource()
    const port = await freePort()
    const env = { DATABASE_URL: database.connectionString, LOG_FILE: '-' }
    const load = startSteadyLoad({ url: `http://127.0.0.1:${port}`, writeKey })
    const longest = await restart({
      start: () => startStandalone({ dataDir: dataDir.path, port, env }),
      restarts: RESTARTS,
      load,
      busy: async (one) => {
        await moreThan(load, 50)
        await storing(one)
      },
    })
    await load.stop()
    console.log(`longest stop of npm start: ${Math.round(longest)} ms`)
    await expectStoredOnce(database.pool, load.run, load.acknowledged())
  },
)
