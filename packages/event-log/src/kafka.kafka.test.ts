import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger } from '@platform-events/runtime'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MemoryStore, makeRecord, nameOf } from '../../../test/support/event-log-subject.ts'
import {
  faultsMissing,
  freezeKafka,
  kafkaBrokers,
  kafkaMissing,
  startKafka,
  stopKafka,
  thawKafka,
  uniqueTopic,
} from '../../../test/support/kafka.ts'
import { type Consumption, type EventLog, LogUnavailableError, type RecordBatch } from './event-log.ts'
import { openKafkaLog } from './kafka.ts'

const within = { timeout: 45_000, interval: 50 }
const logs: EventLog[] = []
const consumptions: Consumption[] = []
let topic: string
let admin: Admin

beforeEach(async (context) => {
  context.skip(kafkaMissing() !== null, kafkaMissing() ?? '')
  topic = uniqueTopic('kafka')
  admin = new Kafka({ brokers: kafkaBrokers(), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
})

afterEach(async () => {
  await Promise.all(consumptions.splice(0).map((consumption) => consumption.stop()))
  await Promise.all(logs.splice(0).map((log) => log.close()))
  await admin?.disconnect()
})

async function open(partitions = 6, lookMs = 10_000): Promise<EventLog> {
  const logger = createLogger({ name: 'test', level: 'silent' })
  const log = await openKafkaLog({ brokers: kafkaBrokers(), clientId: 'test', topic, partitions, lookMs, logger })
  logs.push(log)
  return log
}

async function consume(log: EventLog, store: MemoryStore, options?: Parameters<MemoryStore['consume']>[2]) {
  const consumption = await store.consume(log, topic, options)
  consumptions.push(consumption)
  return consumption
}

async function appendUntilTaken(log: EventLog, acknowledged: string[]): Promise<void> {
  const record = makeRecord(`key-${acknowledged.length}`)
  await vi.waitFor(() => log.append([record]), { timeout: 60_000, interval: 100 })
  acknowledged.push(record.headers.batch_id)
}

it('makes the topic with six topic partitions, and names it by the cluster and the id of the topic', async () => {
  const log = await open()
  const lags = await log.lag(async () => null)
  expect(lags.map((lag) => lag.topicPartition.partition)).toEqual([0, 1, 2, 3, 4, 5])
  const { clusterId } = await admin.describeCluster()
  expect(lags[0]!.topicPartition.logId).toMatch(new RegExp(`^${clusterId}:[0-9a-f]{32}$`))
  expect(lags[0]!.topicPartition.logId).not.toContain(':00000000')
})

it('refuses a compacted topic, which would lose events', async () => {
  const configEntries = [{ name: 'cleanup.policy', value: 'compact' }]
  await admin.createTopics({ topics: [{ topic, configEntries }] })
  await expect(open()).rejects.toThrow('compacted')
})

it('says that Kafka is not reached', async () => {
  const logger = createLogger({ name: 'test', level: 'silent' })
  const opening = openKafkaLog({ brokers: ['127.0.0.1:1'], clientId: 'test', topic, logger })
  await expect(opening).rejects.toThrow(LogUnavailableError)
})

it('holds 8 MiB of what a broker has while nothing is stored, and goes on from there', async () => {
  const log = await open(12)
  const value = Buffer.alloc(300_000, 'x')
  const records = Array.from({ length: 60 }, (_, n) => ({ ...makeRecord(`key-${n}`), value }))
  await Promise.all(records.map((record) => log.append([record])))
  let held = 0
  let delivered = 0
  let store = (): void => undefined
  const stored = new Promise<void>((resolve) => {
    store = resolve
  })
  const consumption = await log.consume({
    group: topic,
    from: async () => null,
    async onBatch({ records, nextOffset }) {
      held += records.length * value.length
      await stored
      delivered += records.length
      return nextOffset
    },
  })
  consumptions.push(consumption)
  await expect.poll(() => held, within).toBeGreaterThan(5e6)
  expect(held).toBeLessThanOrEqual(8 * 1024 * 1024)
  store()
  await expect.poll(() => delivered, within).toBe(60)
})

it('asks and delivers nothing after a stop, and is no member of its group, at whatever moment of its start that comes', async () => {
  const log = await open()
  const acknowledged: string[] = []
  for (let record = 0; record < 20; record += 1) await appendUntilTaken(log, acknowledged)
  const late: string[] = []
  await Promise.all(
    Array.from({ length: 30 }, async (_, at) => {
      let stopped = false
      const note = (what: string) => stopped && late.push(`${what}, stopped after ${at * 25} ms`)
      const consumption = await log.consume({
        group: `${topic}-${at}`,
        async from() {
          note('from')
          throw new Error('not now')
        },
        async onBatch({ nextOffset }) {
          note('onBatch')
          return nextOffset
        },
      })
      await sleep(at * 25)
      await consumption.stop()
      stopped = true
    }),
  )
  // As long as joins and retries take.
  const store = new MemoryStore()
  await consume(log, store)
  await vi.waitFor(() => expect(store.ids).toHaveLength(20), within)
  expect(late).toEqual([])
  const { groups } = await admin.describeGroups(Array.from({ length: 30 }, (_, at) => `${topic}-${at}`))
  expect(groups.filter(({ members }) => members.length > 0).map(({ groupId }) => groupId)).toEqual([])
})

it('shares the topic partitions among the consumers of a group, each event to one of them', async () => {
  const [one, other] = [await open(), await open()]
  const store = new MemoryStore()
  const at = { one: new Set<number>(), other: new Set<number>() }
  const noting = (seen: Set<number>) => ({
    onBatch(batch: RecordBatch) {
      seen.add(batch.topicPartition.partition)
      return store.store(batch)
    },
  })
  await consume(one, store, noting(at.one))
  await consume(other, store, noting(at.other))
  const sent: string[] = []
  await vi.waitFor(async () => {
    at.one.clear()
    at.other.clear()
    const records = Array.from({ length: 60 }, (_, index) => makeRecord(`key-${index}`))
    await one.append(records)
    sent.push(...records.map((record) => record.headers.batch_id))
    await expect.poll(() => store.ids.length, within).toBe(sent.length)
    expect(at.one.size + at.other.size).toBe(6)
    expect(at.one.size).toBe(3)
  }, within)
  expect([...store.ids].sort()).toEqual(sent.sort())
})

it('hands topic partitions over when a consumer of the group stops, and delivers nothing twice', async () => {
  const log = await open()
  const store = new MemoryStore()
  const first = await consume(log, store, { maxEvents: 7 })
  await log.append(Array.from({ length: 500 }, (_, index) => makeRecord(`key-${index}`)))
  await vi.waitFor(() => expect(store.ids.length).toBeGreaterThan(50), within)
  await consume(await open(), store)
  await first.stop()
  await expect.poll(() => store.ids.length, within).toBe(500)
  expect(new Set(store.ids).size).toBe(500)
})

it('begins at the stored offset, whatever the group committed to Kafka and however late the store answers', async () => {
  const log = await open()
  const store = new MemoryStore()
  const first = await consume(log, store)
  await log.append(Array.from({ length: 20 }, () => makeRecord('a')))
  await expect.poll(() => store.ids.length, within).toBe(20)
  await first.stop()
  await log.append(Array.from({ length: 5 }, () => makeRecord('a')))
  // The database was put back from a copy: it is behind what the group committed.
  const [name] = store.offsets.keys()
  store.offsets.set(name!, 7)
  const offsets: number[] = []
  await consume(log, store, {
    async from(topicPartition) {
      await sleep(1500)
      return store.from(topicPartition)
    },
    onBatch(batch) {
      offsets.push(...batch.records.map((record) => record.offset))
      return store.store(batch)
    },
  })
  await expect.poll(() => offsets.length, within).toBeGreaterThanOrEqual(18)
  expect(offsets).toEqual(Array.from({ length: 18 }, (_, index) => index + 7))
})

it('notices within seconds that the topic was deleted and made again, and reads the new one from its start', async () => {
  const log = await open()
  const store = new MemoryStore()
  await consume(log, store)
  await log.append(Array.from({ length: 30 }, (_, index) => makeRecord(`key-${index}`)))
  await expect.poll(() => store.ids.length, within).toBe(30)
  await admin.deleteTopics({ topics: [topic] })
  const again: string[] = []
  for (let count = 0; count < 5; count += 1) await appendUntilTaken(log, again)
  await vi.waitFor(() => {
    const names = [...store.offsets.keys()]
    const logIds = [...new Set(names.map((name) => name.split('/')[0]!))]
    expect(logIds.length).toBe(2)
    const ofNew = names.filter((name) => name.startsWith(logIds[1]!))
    expect(ofNew.reduce((sum, name) => sum + store.offsets.get(name)!, 0)).toBe(5)
  }, within)
  expect(store.ids).toEqual(expect.arrayContaining(again))
})

it('tells Kafka how far it is, for tools that show the lag', async () => {
  const log = await open()
  const store = new MemoryStore()
  await consume(log, store)
  await log.append(Array.from({ length: 20 }, () => makeRecord('a')))
  await expect.poll(() => store.ids.length, within).toBe(20)
  await vi.waitFor(async () => {
    const [offsets] = await admin.fetchOffsets({ groupId: topic, topics: [topic] })
    expect(offsets!.partitions.map(({ offset }) => offset).sort()).toEqual(['-1', '-1', '-1', '-1', '-1', '20'])
  }, within)
})

it('tells a loss, and skips nothing that is left, when retention overtakes it at work', async () => {
  const log = await open()
  const store = new MemoryStore()
  const losses: unknown[] = []
  let go: (() => void) | undefined
  await consume(log, store, {
    async onBatch(batch) {
      if (go === undefined) await new Promise<void>((resolve) => (go = resolve))
      return store.store(batch)
    },
    async onLoss({ topicPartition, resumedAt, stored }) {
      losses.push({ stored, resumedAt })
      store.offsets.set(nameOf(topicPartition), resumedAt)
    },
  })
  await log.append([makeRecord('a')])
  await expect.poll(() => go !== undefined, within).toBe(true)
  await log.append(Array.from({ length: 30 }, () => makeRecord('a')))
  const partition = (await admin.fetchTopicOffsets(topic)).find(({ high }) => high !== '0')!.partition
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: '20' }] })
  go!()
  await expect.poll(() => store.offsets.get([...store.offsets.keys()][0]!), within).toBe(31)
  expect(losses).toEqual([{ stored: 1, resumedAt: 20 }])
  expect(store.ids).toHaveLength(12)
})

it('is built anew when kafkajs leaves out a topic partition for good and goes on with its heartbeats', async () => {
  const group = createRequire(import.meta.url)('kafkajs/src/consumer/consumerGroup.js').prototype
  const whole = group.filterPartitionsByNode
  let broken: unknown
  vi.spyOn(group, 'filterPartitionsByNode').mockImplementation(function (this: unknown, ...args: unknown[]) {
    broken ??= this
    const found = whole.apply(this, args) as { topic: string; partitions: number[] }[]
    return this === broken ? found.map((one) => ({ ...one, partitions: [] })) : found
  })
  try {
    const log = await open(6, 300)
    const store = new MemoryStore()
    await consume(log, store)
    await log.append(Array.from({ length: 12 }, (_, index) => makeRecord(`key-${index}`)))
    await expect.poll(() => store.ids.length, within).toBe(12)
    expect(broken).toBeDefined()
  } finally {
    vi.restoreAllMocks()
  }
})

describe('with the broker failing', () => {
  beforeEach((context) => {
    context.skip(faultsMissing() !== null, faultsMissing() ?? '')
  })

  it('acknowledges nothing while the broker is dead, and goes on by itself when it is back', async () => {
    const log = await open()
    const store = new MemoryStore()
    await consume(log, store)
    const acknowledged: string[] = []
    for (let count = 0; count < 10; count += 1) await appendUntilTaken(log, acknowledged)
    await stopKafka('SIGKILL')
    try {
      const started = performance.now()
      await expect(log.append([makeRecord('a')])).rejects.toThrow(LogUnavailableError)
      expect(performance.now() - started).toBeLessThan(16_000)
    } finally {
      await startKafka()
    }
    for (let count = 0; count < 10; count += 1) await appendUntilTaken(log, acknowledged)
    await vi.waitFor(() => expect(store.ids).toEqual(expect.arrayContaining(acknowledged)), within)
  }, 150_000)

  it('gives up an append that a frozen broker does not answer, in bounded time, the ones behind it too', async () => {
    const log = await open()
    const acknowledged: string[] = []
    await appendUntilTaken(log, acknowledged)
    freezeKafka()
    try {
      const started = performance.now()
      const appends = [log.append([makeRecord('a')])]
      await sleep(100)
      appends.push(log.append([makeRecord('a')]), log.append([makeRecord('b')]))
      for (const result of await Promise.allSettled(appends))
        expect(result).toMatchObject({ status: 'rejected', reason: expect.any(LogUnavailableError) })
      expect(performance.now() - started).toBeLessThan(16_000)
    } finally {
      thawKafka()
    }
    await appendUntilTaken(log, acknowledged)
  }, 150_000)
})
