import { randomUUID } from 'node:crypto'
import { type EventLog, openEventLog } from '@platform-events/event-log'
import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { kafkaBrokers, kafkaMissing, uniqueTopic } from '../../../test/support/kafka.ts'
import { deleteRecords, deleteTopic } from '../../../test/support/kafka-topics.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  idsOf,
  sampleEvents,
  sampleRecord,
  tableState,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'

const within = { timeout: 45_000, interval: 100 }

let database: TestDatabase
let log: EventLog
let topic: string
let group: string
const open: { end(): Promise<void> }[] = []

beforeEach(async (context) => {
  context.skip(kafkaMissing() !== null, kafkaMissing() ?? '')
  database = await createTestDatabase()
  topic = uniqueTopic('losses')
  group = randomUUID()
  const settings = { KAFKA_BROKERS: kafkaBrokers().join(','), KAFKA_TOPIC: topic, DATA_DIR: 'not used' }
  log = await openEventLog(settings, createLogger({ name: 'test', level: 'silent' }))
})

afterEach(async () => {
  await endAll()
  await log?.close()
  await database?.drop()
})

const endAll = () => Promise.all(open.splice(0).map((opened) => opened.end()))

async function consume() {
  const consumer = testConsumer(log, database.connectionString, { group })
  open.push(consumer)
  await consumer.start()
  return consumer
}

/** A record an event, tried until Kafka takes it: a topic made anew needs a moment. */
async function append(count: number): Promise<string[]> {
  const events = sampleEvents(count)
  for (const event of events)
    await vi.waitFor(() => log.append([sampleRecord([event])]), { timeout: 60_000, interval: 100 })
  return idsOf(events)
}

interface Loss {
  topic_partition: number
  reason: string
  stored: number
  resumed: number | null
  lost: number | null
}

async function losses(): Promise<Loss[]> {
  const { rows } = await database.pool.query<Loss>(
    `select topic_partition, reason, stored_offset::int as stored, resumed_offset::int as resumed, records_lost::int as lost
     from events_internal.loss_events order by topic_partition`,
  )
  return rows
}

async function storedOffsets(): Promise<{ topic_partition: number; next: number }[]> {
  const { rows } = await database.pool.query(
    `select topic_partition, next_offset::int as next from events_internal.consumer_offsets
     where next_offset > 0 order by topic_partition`,
  )
  return rows
}

it('keeps a loss for each topic partition of a topic deleted and made anew, once, and stores what the new one holds', async () => {
  await consume()
  await append(24)
  await untilConsumed(log, database.pool)
  const before = await storedOffsets()
  await deleteTopic(topic)
  const again = await append(6)
  await vi.waitFor(
    async () => expect((await tableState(database.pool)).ids).toEqual(expect.arrayContaining(again)),
    within,
  )
  const told = await losses()
  // Until it is noticed that the topic is another one, its records are counted on the former one's offsets.
  expect(told).toEqual(
    before.map(({ topic_partition }) => ({
      topic_partition,
      reason: 'log_replaced',
      stored: expect.any(Number),
      resumed: null,
      lost: null,
    })),
  )

  await endAll()
  const consumer = await consume()
  const more = await append(3)
  await vi.waitFor(
    async () => expect((await tableState(database.pool)).ids).toEqual(expect.arrayContaining(more)),
    within,
  )
  expect(await losses()).toEqual(told)
  expect(await consumer.check()).toMatchObject({
    ok: true,
    degraded: true,
    detail: expect.stringContaining('loss events not ack'),
  })
}, 120_000)

it('keeps a loss where retention was faster than the consumer, and one where the offset lies past the end', async () => {
  await consume()
  await append(24)
  await untilConsumed(log, database.pool)
  await endAll()
  const before = await storedOffsets()
  await append(24)
  await deleteRecords(topic)
  const [forward, ...overtaken] = before
  await database.pool.query(
    `update events_internal.consumer_offsets set next_offset = 1000000 where topic_partition = $1`,
    [forward!.topic_partition],
  )
  const consumer = await consume()
  const after = await append(12)
  await vi.waitFor(
    async () => expect((await tableState(database.pool)).ids).toEqual(expect.arrayContaining(after)),
    within,
  )
  await untilConsumed(log, database.pool)
  const told = await losses()
  expect(told[0]).toMatchObject({
    topic_partition: forward!.topic_partition,
    reason: 'past_end',
    stored: 1_000_000,
    lost: null,
  })
  for (const loss of told.slice(1)) {
    const { next } = overtaken.find(({ topic_partition }) => topic_partition === loss.topic_partition)!
    expect(loss).toMatchObject({ reason: 'overtaken', stored: next, lost: loss.resumed! - next })
  }
  const lost = told.slice(1).reduce((sum, loss) => sum + loss.lost!, 0)
  expect(lost).toBeGreaterThan(0)
  expect(lost).toBeLessThanOrEqual(24)

  await consumer.end()
  await consume()
  const more = await append(3)
  await vi.waitFor(
    async () => expect((await tableState(database.pool)).ids).toEqual(expect.arrayContaining(more)),
    within,
  )
  expect(await losses()).toEqual(told)
}, 120_000)
