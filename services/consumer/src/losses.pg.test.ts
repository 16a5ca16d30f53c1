import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type LocalLog, openLocalLog } from '@platform-events/event-log'
import { createLogger, createMetrics, type Registry } from '@platform-events/runtime'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { makeDataDir } from '../../../test/support/data-dir.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  idsOf,
  sampleEvents,
  sampleRecords,
  tableState,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'
import { keepLoss, keepReplacedLogs } from './loss-events.ts'

let database: TestDatabase
let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let log: LocalLog
const open: { end(): Promise<void> }[] = []

beforeEach(async () => {
  database = await createTestDatabase()
  dataDir = await makeDataDir()
  log = await openLog()
})

afterEach(async () => {
  await endAll()
  await log.close()
  await dataDir.remove()
  await database.drop()
})

const openLog = () =>
  openLocalLog({ directory: join(dataDir.path, 'log'), logger: createLogger({ name: 'test', level: 'silent' }) })

const endAll = () => Promise.all(open.splice(0).map((opened) => opened.end()))

/** A consumer, started. */
async function consume() {
  const metrics = createMetrics()
  const consumer = testConsumer(log, database.connectionString, { metrics })
  open.push(consumer)
  await consumer.start()
  return { consumer, metrics }
}

/** Appends so many events, a record each, and waits until they are stored. */
async function store(count: number) {
  const events = sampleEvents(count)
  await log.append(sampleRecords(events, 1))
  await consume()
  await untilConsumed(log, database.pool)
  await endAll()
  return events
}

const losses = async () =>
  (
    await database.pool.query(
      `select log_id, reason, stored_offset::int as stored, resumed_offset::int as resumed, new_log_id, records_lost::int as lost,
              acknowledged_by, note
       from events_internal.loss_events order by loss_id`,
    )
  ).rows

const found = async (metrics: Registry) => (await metrics.getSingleMetric('consumer_loss_events_total')!.get()).values
const setOffset = (offset: number) =>
  database.pool.query('update events_internal.consumer_offsets set next_offset = $1', [offset])

it('keeps a loss where the log was trimmed past the stored offset, once, and shows it until it is acknowledged', async () => {
  const { logId } = log.stats()
  await store(10)
  await log.append(sampleRecords(sampleEvents(7), 1))
  await log.trim({ storedOffset: 17, olderThan: new Date(Date.now() + 1000) })
  const { consumer, metrics } = await consume()
  const event = { log_id: logId, reason: 'overtaken', stored: 10, resumed: 17, lost: 7, new_log_id: null }
  await vi.waitFor(async () => expect(await losses()).toEqual([{ ...event, acknowledged_by: null, note: null }]))
  expect(await found(metrics)).toMatchObject([{ value: 1 }])
  expect(await consumer.check()).toMatchObject({
    ok: true,
    degraded: true,
    detail: expect.stringContaining('1 loss event not ack'),
  })
  await endAll()

  const again = await consume()
  const more = sampleEvents(3)
  await log.append(sampleRecords(more, 1))
  await untilConsumed(log, database.pool)
  expect((await tableState(database.pool)).ids).toEqual(expect.arrayContaining(idsOf(more)))
  expect(await losses()).toHaveLength(1)
  expect(await found(again.metrics)).toMatchObject([{ value: 0 }])
  expect(await again.metrics.metrics()).toMatch(/^consumer_loss_events_open 1$/m)
  expect(await again.metrics.metrics()).toMatch(/^consumer_fenced_total 0$/m)

  const acknowledge = (by: string) =>
    database.pool.query(
      'select events_internal.acknowledge_loss(loss_id, $1, $2) as done from events_internal.loss_events',
      [by, 'in the backup'],
    )
  expect((await acknowledge('ana')).rows).toEqual([{ done: true }])
  expect((await acknowledge('ben')).rows).toEqual([{ done: false }])
  expect(await losses()).toEqual([{ ...event, acknowledged_by: 'ana', note: 'in the backup' }])
  expect(await again.consumer.check()).toEqual({ ok: true, detail: expect.not.stringContaining('loss') })
})

it('keeps a loss where the log was deleted and made anew, once, however often it starts before anything is stored', async () => {
  const { logId } = log.stats()
  const before = await store(10)
  await log.close()
  await rm(join(dataDir.path, 'log'), { recursive: true })
  log = await openLog()
  for (let start = 0; start < 2; start++) {
    await consume()
    await vi.waitFor(async () => expect(await losses()).toHaveLength(1))
    await endAll()
  }
  const after = await store(5)
  await store(1)
  expect(await losses()).toMatchObject([
    { log_id: logId, reason: 'log_replaced', stored: 10, resumed: null, lost: null, new_log_id: log.stats().logId },
  ])
  expect((await tableState(database.pool)).ids).toEqual(expect.arrayContaining(idsOf([...before, ...after])))
})

it('replays what a Postgres put back from yesterday lacks: no loss, nothing twice', async () => {
  const events = await store(20)
  await database.pool.query(`delete from public.platform_events where id = any($1)`, [idsOf(events.slice(12))])
  await setOffset(4)
  const more = await store(2)
  expect(await losses()).toEqual([])
  expect((await tableState(database.pool)).ids).toEqual(idsOf([...events, ...more]))
})

it('keeps a loss where the stored offset lies past the end, and delivers all there is', async () => {
  const { logId } = log.stats()
  const events = await store(10)
  await setOffset(99)
  const more = await store(5)
  await store(1)
  expect(log.stats().logId).not.toBe(logId)
  expect(await losses()).toMatchObject([{ log_id: logId, reason: 'past_end', stored: 99, resumed: 0, lost: null }])
  expect((await tableState(database.pool)).ids).toEqual(expect.arrayContaining(idsOf([...events, ...more])))
  expect((await tableState(database.pool)).ids).toHaveLength(16)
})

it('delivers nothing, and says why, while a loss cannot be kept', async () => {
  await store(10)
  await log.append(sampleRecords(sampleEvents(2), 1))
  await log.trim({ storedOffset: 11, olderThan: new Date(Date.now() + 1000) })
  await database.pool.query('alter table events_internal.loss_events rename to loss_events_away')
  const { consumer } = await consume()
  await vi.waitFor(async () =>
    expect(await consumer.check()).toMatchObject({ ok: false, detail: expect.stringContaining('42P01') }),
  )
  expect((await tableState(database.pool)).ids).toHaveLength(10)
  await database.pool.query('alter table events_internal.loss_events_away rename to loss_events')
  await untilConsumed(log, database.pool)
  expect(await losses()).toMatchObject([{ reason: 'overtaken', stored: 10, resumed: 11, lost: 1 }])
  expect((await tableState(database.pool)).ids).toHaveLength(11)
})

it('keeps one loss, whoever meets it at the same time', async () => {
  await store(10)
  const { logId } = log.stats()
  const { pool } = database
  const topicPartition = { logId, topic: 'local', partition: 0 }
  const kept = await Promise.all(
    Array.from({ length: 6 }, () => keepLoss(pool, { topicPartition, stored: 10, resumedAt: 12 })),
  )
  expect(kept.filter((loss) => loss !== null)).toHaveLength(1)
  await pool.query(
    `insert into events_internal.consumer_offsets (log_id, topic, topic_partition, next_offset)
     select 'former', 'events', n, n * 10 from generate_series(0, 2) n`,
  )
  const replaced = await Promise.all(
    Array.from({ length: 6 }, (_, partition) => keepReplacedLogs(pool, { logId: 'new', topic: 'events', partition })),
  )
  expect(replaced.flat()).toHaveLength(3)
  expect(await losses()).toHaveLength(4)
})
