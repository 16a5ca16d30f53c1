import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEventLog } from '@platform-events/event-log'
import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { makeDataDir } from '../../../test/support/data-dir.ts'
import {
  faultsMissing,
  freezeKafka,
  kafkaBrokers,
  startKafka,
  stopKafka,
  thawKafka,
  uniqueTopic,
} from '../../../test/support/kafka.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { freePort, type ServingProcess, startService } from '../../../test/support/process.ts'

const KEYS = 12
const writeKey = `pk_${randomUUID()}`

let database: TestDatabase
let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let env: Record<string, string>
let collector: ServingProcess
const running: ServingProcess[] = []

beforeEach(async (context) => {
  context.skip(faultsMissing() !== null, faultsMissing() ?? '')
  database = await createTestDatabase()
  await database.pool.query(`insert into events_internal.event_sources (name, write_key) values ('test', $1)`, [
    writeKey,
  ])
  dataDir = await makeDataDir()
  env = {
    KAFKA_BROKERS: kafkaBrokers().join(','),
    KAFKA_TOPIC: uniqueTopic('spool'),
    DATABASE_URL: database.connectionString,
    DATA_DIR: dataDir.path,
  }
})

afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.kill()))
  await database?.drop()
  await dataDir?.remove()
})

async function start(name: 'collector' | 'consumer', changes: Record<string, string> = {}): Promise<ServingProcess> {
  const service = await startService(name, { port: await freePort(), env: { ...env, ...changes } })
  running.push(service)
  return service
}

interface Answer {
  key: string
  n: number
  status: number
  ms: number
  retryAfter: string | null
}

async function post(key: string, n: number, fill = ''): Promise<Answer> {
  const begun = performance.now()
  const answer = await fetch(`${collector.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${writeKey}` },
    body: JSON.stringify({ event_type: 'Spooled', session_id: key, properties: { n, fill } }),
  })
  await answer.arrayBuffer()
  const ms = performance.now() - begun
  return { key, n, status: answer.status, ms, retryAfter: answer.headers.get('retry-after') }
}

/** One request after another for each of the keys, until told to stop; then with all answers. A refused connection is no answer. */
function startLoad(): { answers: Answer[]; stop(): Promise<Answer[]> } {
  const answers: Answer[] = []
  let stopped = false
  const senders = Array.from({ length: KEYS }, async (_, key) => {
    for (let n = 0; !stopped; n += 1) {
      const answer = await post(`key-${key}`, n).catch(() => undefined)
      if (answer !== undefined) answers.push(answer)
      await sleep(2)
    }
  })
  return {
    answers,
    async stop() {
      stopped = true
      await Promise.all(senders)
      return answers
    },
  }
}

const more = (answers: Answer[], count: number) => {
  const from = answers.length
  return vi.waitFor(() => expect(answers.length).toBeGreaterThan(from + count), { timeout: 20_000, interval: 10 })
}

async function readyz(): Promise<{ status: number; log: { ok: boolean; degraded?: boolean; detail?: string } }> {
  const answer = await fetch(`${collector.url}/readyz`)
  const { parts } = (await answer.json()) as { parts: { log: { ok: boolean; degraded?: boolean; detail?: string } } }
  return { status: answer.status, log: parts.log }
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${collector.url}/metrics`)).text()
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1])
}

const drained = () =>
  vi.waitFor(
    async () => {
      expect((await readyz()).log).toEqual({ ok: true })
      expect(await metric('collector_spooled_events')).toBe(0)
    },
    { timeout: 40_000, interval: 50 },
  )

/** The numbers of each key in the order of the topic's offsets, each where it stands for the first time. */
async function orderInKafka(count: number): Promise<Map<string, number[]>> {
  const log = await openEventLog({ ...env, DATA_DIR: dataDir.path }, createLogger({ name: 'test', level: 'silent' }))
  const found = new Map<string, Set<number>>()
  const consumption = await log.consume({
    group: randomUUID(),
    from: async () => null,
    async onBatch({ records, nextOffset }) {
      for (const { key, value } of records) {
        const { properties } = JSON.parse(value.toString()) as { properties: { n: number } }
        found.set(key, (found.get(key) ?? new Set()).add(properties.n))
      }
      return nextOffset
    },
  })
  const size = () => [...found.values()].reduce((sum, { size }) => sum + size, 0)
  await vi.waitFor(() => expect(size()).toBeGreaterThanOrEqual(count), { timeout: 40_000, interval: 50 })
  await consumption.stop()
  await log.close()
  return new Map([...found].map(([key, numbers]) => [key, [...numbers]]))
}

/** What was acknowledged is in the topic, in the order of each key. More may be there: what was taken before a kill could be answered. */
async function expectAllInOrder(answers: Answer[]): Promise<void> {
  const acknowledged = answers.filter(({ status }) => status === 202)
  const order = await orderInKafka(acknowledged.length)
  for (const [key, numbers] of order) expect(numbers, key).toEqual([...numbers].sort((one, other) => one - other))
  const missing = acknowledged.filter(({ key, n }) => !order.get(key)?.includes(n))
  expect(missing).toEqual([])
}

const slowest = (answers: Answer[]) => Math.max(...answers.map(({ ms }) => ms))

describe('a collector whose Kafka is away', () => {
  it('answers 202 to everything while the broker is killed and started again; all is stored once, in the order of each key', async () => {
    collector = await start('collector')
    await start('consumer')
    await drained()
    const load = startLoad()
    await more(load.answers, 300)
    await stopKafka('SIGKILL')
    try {
      await more(load.answers, 1500)
      const health = await readyz()
      expect(health).toMatchObject({ status: 200, log: { ok: true, degraded: true } })
      expect(health.log.detail).toMatch(
        /^Kafka is away since \d{4}-.*Z: \d+ events, \d+ of 1073741824 bytes in the spool/,
      )
      expect(await metric('collector_spooled_events')).toBeGreaterThan(1000)
      expect(await metric('collector_spool_bytes')).toBeGreaterThan(100_000)
    } finally {
      await startKafka()
    }
    await drained()
    const answers = await load.stop()
    expect(answers.filter(({ status }) => status !== 202)).toEqual([])
    // It is known to be away after 2 s.
    expect(slowest(answers)).toBeLessThan(3500)
    expect(await metric('collector_spool_drained_events_total')).toBeGreaterThan(1000)
    await expectAllInOrder(answers)
    await vi.waitFor(
      async () => {
        const { rows } = await database.pool.query(
          `select count(*)::int as n, count(distinct (session_id, properties -> 'n'))::int as different from platform_events`,
        )
        expect(rows).toEqual([{ n: answers.length, different: answers.length }])
      },
      { timeout: 40_000, interval: 200 },
    )
  }, 150_000)

  it('loses nothing when it is killed while it spools, and started again before Kafka is', async () => {
    collector = await start('collector')
    await drained()
    const load = startLoad()
    await more(load.answers, 100)
    await stopKafka('SIGKILL')
    try {
      await more(load.answers, 500)
      await collector.kill()
      collector = await start('collector')
      await more(load.answers, 300)
      expect((await readyz()).log).toMatchObject({ ok: true, degraded: true })
      expect(await metric('collector_spooled_events')).toBeGreaterThan(700)
    } finally {
      await startKafka()
    }
    // And once more, while it drains, or about to.
    await collector.kill()
    collector = await start('collector')
    await drained()
    await expectAllInOrder(await load.stop())
  }, 150_000)

  it('answers in time while the broker is frozen, and quickly after the first', async () => {
    collector = await start('collector')
    await drained()
    const load = startLoad()
    await more(load.answers, 100)
    freezeKafka()
    try {
      await more(load.answers, 1000)
      expect((await readyz()).log).toMatchObject({ ok: true, degraded: true })
      const since = load.answers.length
      await more(load.answers, 300)
      const times = load.answers.slice(since).map(({ ms }) => ms)
      expect(times.sort((one, other) => one - other)[Math.floor(times.length / 2)]).toBeLessThan(200)
    } finally {
      thawKafka()
    }
    await drained()
    const answers = await load.stop()
    expect(answers.filter(({ status }) => status !== 202)).toEqual([])
    // It is known to be away after 2 s.
    expect(slowest(answers)).toBeLessThan(3500)
    await expectAllInOrder(answers)
  }, 150_000)

  it('starts before Kafka does', async () => {
    await stopKafka('SIGTERM')
    const answers: Answer[] = []
    try {
      collector = await start('collector')
      for (let n = 0; n < 50; n += 1) answers.push(await post(`key-${n % 5}`, n))
      await vi.waitFor(async () => expect((await readyz()).log.detail).toMatch(/ECONNREFUSED|connect/i), {
        timeout: 20_000,
      })
      expect(collector.output()).toContain('Kafka is not reached')
    } finally {
      await startKafka()
    }
    await drained()
    expect(answers.filter(({ status }) => status !== 202)).toEqual([])
    await expectAllInOrder(answers)
  }, 150_000)

  it('refuses with 503 and Retry-After when its spool is full, and says so', async () => {
    collector = await start('collector', { SPOOL_MAX_BYTES: String(1024 ** 2), KAFKA_BROKERS: '127.0.0.1:1' })
    const fill = 'x'.repeat(20_000)
    const answers: Answer[] = []
    while (answers.at(-1)?.status !== 503 && answers.length < 200) answers.push(await post('a', answers.length, fill))
    const last = answers.at(-1)!
    expect(last).toMatchObject({ status: 503, retryAfter: '1' })
    expect(answers.slice(0, -1).filter(({ status }) => status !== 202)).toEqual([])
    expect(await readyz()).toMatchObject({
      status: 503,
      log: { ok: false, detail: expect.stringContaining('is full') },
    })
    expect(await metric('collector_spooled_events')).toBe(answers.length - 1)
  })

  it.skipIf(process.platform !== 'linux')(
    'refuses with 503 while its disk takes nothing, and takes events again after',
    async () => {
      collector = await start('collector', { KAFKA_BROKERS: '127.0.0.1:1' })
      const limit = (bytes: string) => spawnSync('prlimit', ['--pid', String(collector.pid), `--fsize=${bytes}`]).status
      expect((await post('a', 0)).status).toBe(202)
      expect(limit('1000:unlimited')).toBe(0)
      const refused = await vi.waitFor(
        async () => {
          const answer = await post('a', 1, 'x'.repeat(20_000))
          expect(answer.status).toBe(503)
          return answer
        },
        { timeout: 10_000 },
      )
      expect(refused.retryAfter).toBe('1')
      expect(await readyz()).toMatchObject({
        status: 503,
        log: { ok: false, detail: expect.stringContaining('the disk') },
      })
      expect(limit('unlimited')).toBe(0)
      await vi.waitFor(async () => expect((await post('a', 2)).status).toBe(202), { timeout: 10_000 })
    },
  )
})
