import { randomUUID } from 'node:crypto'
import { openEventLog } from '@platform-events/event-log'
import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { kafkaBrokers, kafkaMissing, uniqueTopic } from '../../../test/support/kafka.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  idsOf,
  sampleEvents,
  sampleRecords,
  tableState,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'

let database: TestDatabase

beforeEach(async (context) => {
  context.skip(kafkaMissing() !== null, kafkaMissing() ?? '')
  database = await createTestDatabase()
})

afterEach(async () => {
  await database?.drop()
})

it('shares a topic with a second consumer, which goes on alone when the first one leaves', async () => {
  const settings = { KAFKA_BROKERS: kafkaBrokers().join(','), KAFKA_TOPIC: uniqueTopic(), DATA_DIR: 'not used' }
  const logger = createLogger({ name: 'test', level: 'silent' })
  const group = randomUUID()
  const logs = [await openEventLog(settings, logger), await openEventLog(settings, logger)]
  const [first, second] = logs.map((log, shard) =>
    testConsumer(log, database.connectionString, { group, shard, lingerMs: 50, maxEvents: 500 }),
  )
  try {
    const events = sampleEvents(4000)
    const records = sampleRecords(events, 10)
    await first!.start()
    await logs[0]!.append(records.slice(0, 100))
    await second!.start()
    await logs[0]!.append(records.slice(100, 200))
    await first!.end()
    // What was delivered before and comes again is told by its id.
    await logs[0]!.append([...records.slice(200), ...records.slice(0, 50)])
    await untilConsumed(logs[0]!, database.pool, 50_000)
    expect(await tableState(database.pool)).toMatchObject({ ids: idsOf(events), dead: 0, rollupDifferences: [] })
  } finally {
    await Promise.all([first!.end(), second!.end()])
    await Promise.all(logs.map((log) => log.close()))
  }
})
