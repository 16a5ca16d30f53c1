import { setTimeout as sleep } from 'node:timers/promises'
import type { LoggedEvent } from '@platform-events/contracts'
import { type CollectingLog, type EventLog, openCollectingLog, openEventLog } from '@platform-events/event-log'
import { createLogger } from '@platform-events/runtime'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { startTcpProxy, type TcpProxy } from '../../../test/chaos/tcp-proxy.ts'
import { makeDataDir } from '../../../test/support/data-dir.ts'
import { uniqueTopic } from '../../../test/support/kafka.ts'
import { startTestCluster, type TestCluster } from '../../../test/support/kafka-cluster.ts'
import { whyNoJvm } from '../../../test/support/kafka-jvm.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  idsOf,
  sampleEvent,
  sampleEvents,
  sampleRecord,
  tableState,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'

const missing = whyNoJvm()
// Three brokers on a busy machine take their time; measured alone, the longest takes 25 s.
const within = { timeout: 60_000, interval: 50 }
const LONG = 150_000
const logger = createLogger({ name: 'test', level: 'silent' })

const proxies: TcpProxy[] = []
let cluster: TestCluster
let database: TestDatabase
let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let topic: string
const open: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  if (missing !== null) return
  cluster = await startTestCluster(async (port) => {
    const proxy = await startTcpProxy(() => [port])
    proxies.push(proxy)
    return proxy.port
  })
})

afterAll(async () => {
  await cluster?.remove()
  await Promise.all(proxies.map((proxy) => proxy.close()))
})

beforeEach(async (context) => {
  context.skip(missing !== null, missing ?? '')
  database = await createTestDatabase()
  dataDir = await makeDataDir()
  topic = uniqueTopic('brokers')
})

afterEach(async () => {
  await cluster?.startAll()
  for (const close of open.splice(0).reverse()) await close()
  await database?.drop()
  await dataDir?.remove()
})

/** A collector's log, over its spool, when it has reached Kafka. */
async function collect(address = cluster.address): Promise<CollectingLog & Required<Pick<CollectingLog, 'spool'>>> {
  const settings = { KAFKA_BROKERS: address, KAFKA_TOPIC: topic, DATA_DIR: dataDir.path, SPOOL_MAX_BYTES: 1024 ** 3 }
  const log = (await openCollectingLog(settings, logger)) as Awaited<ReturnType<typeof collect>>
  open.push(() => log.close())
  await drained(log)
  return log
}

const drained = (log: CollectingLog) =>
  vi.waitFor(() => expect(log.spool?.()).toMatchObject({ away: null, events: 0 }), within)

async function consume(): Promise<EventLog> {
  const log = await openEventLog({ KAFKA_BROKERS: cluster.address, KAFKA_TOPIC: topic, DATA_DIR: 'not used' }, logger)
  open.push(() => log.close())
  const consumer = testConsumer(log, database.connectionString, { group: topic })
  open.push(() => consumer.end())
  await consumer.start()
  return log
}

const recordsOf = (events: LoggedEvent[]) => events.map((event) => sampleRecord([event]))

/** One append after another for each of twelve sessions, until told to stop; then with all events, each of them acknowledged. */
function startLoad(log: EventLog): { events: LoggedEvent[]; stop(): Promise<LoggedEvent[]> } {
  const events: LoggedEvent[] = []
  let stopped = false
  const senders = Array.from({ length: 12 }, async (_, session) => {
    for (let n = 0; !stopped; n += 1) {
      const event = sampleEvent({ session_id: `session-${session}`, properties: { n } })
      await log.append([sampleRecord([event])])
      events.push(event)
      await sleep(20)
    }
  })
  const stop = async () => {
    stopped = true
    await Promise.all(senders)
    return events
  }
  open.push(stop)
  return { events, stop }
}

const more = (events: LoggedEvent[], count: number) => {
  const from = events.length
  return vi.waitFor(() => expect(events.length).toBeGreaterThan(from + count), within)
}

async function expectStoredOnce(log: EventLog, events: LoggedEvent[]): Promise<void> {
  await untilConsumed(log, database.pool, within.timeout)
  expect(await tableState(database.pool)).toMatchObject({ ids: idsOf(events), dead: 0, rollupDifferences: [] })
}

/** Each session's events stand in the topic as they were appended, where each stands for the first time. */
async function expectOrder(log: EventLog, events: LoggedEvent[]): Promise<void> {
  const found = new Map<string, Set<unknown>>()
  const consumption = await log.consume({
    group: `${topic}-order`,
    from: async () => null,
    async onBatch({ records, nextOffset }) {
      for (const { key, value } of records) {
        const { properties } = JSON.parse(value.toString()) as LoggedEvent
        found.set(key, (found.get(key) ?? new Set()).add(properties?.['n']))
      }
      return nextOffset
    },
  })
  const size = () => [...found.values()].reduce((sum, { size }) => sum + size, 0)
  await vi.waitFor(() => expect(size()).toBe(events.length), within)
  await consumption.stop()
  for (const [session, numbers] of found) expect([...numbers], session).toEqual([...numbers.keys()].map((_, n) => n))
}

it('sends again what one broker refused, also when another that has answered already leads it now', async () => {
  await cluster.createTopic(topic, [1, 2, 3, 1, 2, 3])
  const log = await collect()
  const events = sampleEvents(120)
  await log.append(recordsOf(events.slice(0, 60)))
  await cluster.move(topic, 2, 1)
  await log.append(recordsOf(events.slice(60)))
  expect(log.spool().away).toBe(null)
  expect(await cluster.size(topic)).toBeGreaterThanOrEqual(120)
  await expectStoredOnce(await consume(), events)
})

it(
  'spools while too few replicas are in sync, drains when they are, and stores every event once',
  async () => {
    const log = await collect()
    const events = sampleEvents(30)
    await log.append(recordsOf(events.slice(0, 10)))
    await cluster.stop([2], 'SIGTERM')
    await log.append(recordsOf(events.slice(10, 20)))
    expect(log.spool().events).toBe(0)
    await cluster.stop([3], 'SIGTERM')
    await log.append(recordsOf(events.slice(20)))
    expect(log.spool().events).toBe(10)
    await cluster.startAll()
    await drained(log)
    await expectStoredOnce(await consume(), events)
  },
  LONG,
)

it(
  'goes on, in order and once, when a broker takes events and dies before it acknowledged them, a leader and the group’s coordinator',
  async () => {
    const log = await collect(proxies.map(({ port }) => `127.0.0.1:${port}`).join(','))
    const consumed = await consume()
    const load = startLoad(log)
    await more(load.events, 100)
    const coordinator = (await cluster.leaders('__consumer_offsets'))[0]!
    expect(await cluster.leaders(topic)).toContain(coordinator)
    const proxy = proxies[coordinator - 1]!
    proxy.noAnswer(true)
    await vi.waitFor(() => expect(log.spool().away).not.toBe(null), within)
    await cluster.stop([coordinator], 'SIGKILL')
    proxy.noAnswer(false)
    const killed = performance.now()
    await vi.waitFor(async () => expect(await cluster.leaders(topic)).not.toContain(coordinator), within)
    await drained(log)
    await more(load.events, 100)
    const events = await load.stop()
    await expectStoredOnce(consumed, events)
    expect(performance.now() - killed).toBeLessThan(40_000)
    // What it took is there a second time.
    expect(await cluster.size(topic)).toBeGreaterThan(events.length)
    await cluster.startAll()
    await expectOrder(consumed, events)
  },
  LONG,
)

it(
  'shares topic partitions that are added while it runs among the consumers, and misses nothing',
  async () => {
    await cluster.createTopic(topic, [1, 2])
    const log = await collect()
    const consumed = await consume()
    await consume()
    const load = startLoad(log)
    await more(load.events, 100)
    await cluster.addPartitions(topic, 5)
    const added = performance.now()
    await vi.waitFor(async () => {
      const { rows } = await database.pool.query('select from events_internal.consumer_offsets where next_offset > 0')
      expect(rows.length).toBe(5)
    }, within)
    expect(performance.now() - added).toBeLessThan(20_000)
    await expectStoredOnce(consumed, await load.stop())
  },
  LONG,
)
