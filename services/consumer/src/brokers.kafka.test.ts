import { type CollectingLog, openCollectingLog } from '@platform-events/event-log'
import { createLogger } from '@platform-events/runtime'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { makeDataDir } from '../../../test/support/data-dir.ts'
import { uniqueTopic } from '../../../test/support/kafka.ts'
import {
  createJvmCluster,
  type JvmBroker,
  removeJvmBroker,
  startJvmBroker,
  stopJvmBroker,
  whyNoJvm,
} from '../../../test/support/kafka-jvm.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  idsOf,
  sampleEvents,
  sampleRecord,
  tableState,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'

const missing = whyNoJvm()
const within = { timeout: 40_000, interval: 50 }

let brokers: JvmBroker[] = []
let database: TestDatabase
let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let settings: { KAFKA_BROKERS: string; KAFKA_TOPIC: string; DATA_DIR: string; SPOOL_MAX_BYTES: number }
let log: CollectingLog
const consumers: { end(): Promise<void> }[] = []

beforeAll(async () => {
  if (missing === null) brokers = await createJvmCluster(3)
})

afterAll(async () => {
  await Promise.all(brokers.map((broker) => removeJvmBroker(broker)))
})

beforeEach(async (context) => {
  context.skip(missing !== null, missing ?? '')
  database = await createTestDatabase()
  dataDir = await makeDataDir()
  settings = {
    KAFKA_BROKERS: brokers.map(({ port }) => `127.0.0.1:${port}`).join(','),
    KAFKA_TOPIC: uniqueTopic('brokers'),
    DATA_DIR: dataDir.path,
    SPOOL_MAX_BYTES: 1024 ** 3,
  }
  log = await openCollectingLog(settings, createLogger({ name: 'test', level: 'silent' }))
  await consume()
  await drained()
})

afterEach(async () => {
  await Promise.all(consumers.splice(0).map((consumer) => consumer.end()))
  await log?.close()
  await database?.drop()
  await dataDir?.remove()
})

async function consume(): Promise<void> {
  const consumer = testConsumer(log, database.connectionString, { group: settings.KAFKA_TOPIC })
  consumers.push(consumer)
  await consumer.start()
}

const drained = () => vi.waitFor(() => expect(log.spool?.()).toMatchObject({ away: null, events: 0 }), within)

it('spools while too few replicas are in sync, drains when they are, and stores every event once', async () => {
  const sent = sampleEvents(30)
  await log.append(sent.slice(0, 10).map((event) => sampleRecord([event])))
  await Promise.all([stopJvmBroker(brokers[1]!, 'SIGTERM'), stopJvmBroker(brokers[2]!, 'SIGTERM')])
  try {
    await log.append(sent.slice(10).map((event) => sampleRecord([event])))
    expect(log.spool?.().events).toBe(20)
  } finally {
    await Promise.all([startJvmBroker(brokers[1]!), startJvmBroker(brokers[2]!)])
  }
  await drained()
  await untilConsumed(log, database.pool)
  expect(await tableState(database.pool)).toMatchObject({ ids: idsOf(sent), dead: 0, rollupDifferences: [] })
})
