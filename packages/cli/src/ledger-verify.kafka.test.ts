import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { makeDataDir } from '../../../test/support/data-dir.ts'
import { kafkaBrokers, kafkaMissing, uniqueTopic } from '../../../test/support/kafka.ts'
import { deleteRecords } from '../../../test/support/kafka-topics.ts'
import { startLedgerSystem } from '../../../test/support/ledger-system.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { tableState } from '../../../test/support/sample-events.ts'
import { verifyLedger } from './ledger-verify.ts'

const TODAY = new Date().toISOString().slice(0, 10)

let database: TestDatabase
let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let system: Awaited<ReturnType<typeof startLedgerSystem>>
let log: { DATA_DIR: string; KAFKA_BROKERS: string; KAFKA_TOPIC: string }

beforeEach(async (context) => {
  context.skip(kafkaMissing() !== null, kafkaMissing() ?? '')
  database = await createTestDatabase()
  dataDir = await makeDataDir()
  log = { DATA_DIR: dataDir.path, KAFKA_BROKERS: kafkaBrokers().join(','), KAFKA_TOPIC: uniqueTopic('ledger') }
  system = await startLedgerSystem(database, log)
})

afterEach(async () => {
  await system?.end()
  await database?.drop()
  await dataDir?.remove()
})

const verify = () =>
  verifyLedger({
    databaseUrl: database.connectionString,
    log,
    from: TODAY,
    to: new Date(Date.now() + 86_400_000).toISOString().slice(0, 10),
    pauseMs: 10,
    signal: new AbortController().signal,
  })

it('over Kafka it balances while events flow, and does not when retention was faster than the consumer', async () => {
  // The first wait in the spool until Kafka is reached, and move to it.
  system.flow()
  await system.consume()
  await vi.waitFor(async () => expect((await tableState(database.pool)).ids.length).toBeGreaterThan(100), {
    timeout: 45_000,
  })
  expect(await verify()).toMatchObject({ balanced: true, differences: [] })
  await system.stopConsuming()
  await system.append(50)
  await system.stopFlow()
  const { balanced, in_flight } = await verify()
  expect(balanced).toBe(true)
  expect(in_flight).toMatchObject({ counted: in_flight.log, log: in_flight.log, spools: 0, nowhere: 0 })
  expect(in_flight.log).toBeGreaterThanOrEqual(100)

  await deleteRecords(log.KAFKA_TOPIC)
  expect(await verify()).toMatchObject({
    balanced: false,
    in_flight: { counted: in_flight.counted, log: 0, spools: 0, nowhere: in_flight.counted },
    differences: [{ account: 'in_flight', counted: in_flight.counted, found: 0 }],
  })
})
