import { createHash, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeDataDir } from '../support/data-dir.ts'
import { kafkaBrokers, kafkaMissing, uniqueTopic } from '../support/kafka.ts'
import { type LateDoor, lateDoor } from '../support/late-door.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { freePort, type LaunchedProcess, launchProcess, type ServiceName, serviceProcess } from '../support/process.ts'
import { expectStoredOnce } from '../support/stored.ts'
import { startTraffic } from '../support/traffic.ts'

const EVENTS = 100
const WAIT = { timeout: 30_000, interval: 100 }

let database: TestDatabase
let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let postgres: LateDoor
let kafka: LateDoor
let env: Record<string, string>
let running: LaunchedProcess[] = []

beforeEach(async (context) => {
  context.skip(kafkaMissing() !== null, kafkaMissing() ?? '')
  database = await createTestDatabase()
  dataDir = await makeDataDir()
  const url = new URL(database.connectionString)
  postgres = await lateDoor({ host: url.hostname, port: Number(url.port || 5432) })
  const [host, port] = kafkaBrokers()[0]!.split(':') as [string, string]
  kafka = await lateDoor({ host, port: Number(port) })
  url.host = `127.0.0.1:${postgres.port}`
  env = {
    DATABASE_URL: url.href,
    KAFKA_BROKERS: `127.0.0.1:${kafka.port}`,
    KAFKA_TOPIC: uniqueTopic(),
    DATA_DIR: dataDir.path,
  }
})

afterEach(async () => {
  await Promise.all(running.map((one) => one.kill()))
  running = []
  postgres?.close()
  kafka?.close()
  await database?.drop()
  await dataDir?.remove()
})

async function launch(options: { args: string[]; cwd?: string }): Promise<LaunchedProcess> {
  const one = launchProcess({ ...options, port: await freePort(), env })
  running.push(one)
  return one
}

interface Readiness {
  status: number
  parts: Record<string, { ok: boolean; degraded?: boolean; detail?: string }>
}

/** Undefined while nobody listens. */
async function readyz({ url }: LaunchedProcess): Promise<Readiness | undefined> {
  const answer = await fetch(`${url}/readyz`).catch(() => undefined)
  return answer && { status: answer.status, parts: ((await answer.json()) as Readiness).parts }
}

async function waitsFor(one: LaunchedProcess, part: string, reason: RegExp): Promise<void> {
  await vi.waitFor(async () => {
    const said = await readyz(one)
    expect(said?.parts[part], one.output()).toMatchObject({ ok: false, detail: expect.stringMatching(reason) })
    expect(said?.status).toBe(503)
  }, WAIT)
  expect((await fetch(`${one.url}/livez`)).status).toBe(200)
}

async function untilAllIsWell(...all: LaunchedProcess[]): Promise<void> {
  for (const one of all)
    await vi.waitFor(async () => {
      const said = await readyz(one)
      expect(said?.status, JSON.stringify(said)).toBe(200)
      for (const part of Object.values(said!.parts)) expect(part.ok, JSON.stringify(said)).toBe(true)
    }, WAIT)
}

test('every service starts without its Kafka and its Postgres, says so, and is ready when they come', async () => {
  const [writeKey, operatorToken] = [`pk_${randomUUID()}`, `op_${randomUUID()}`]
  await database.pool.query(
    `insert into events_internal.event_sources (name, write_key, user_ids) values ('test', $1, 'drop')`,
    [writeKey],
  )
  await database.pool.query(`insert into events_internal.operator_tokens (token_hash, name) values ($1, 'test')`, [
    createHash('sha256').update(operatorToken).digest(),
  ])
  const names: ServiceName[] = ['collector', 'consumer', 'query', 'retention']
  const started = await Promise.all(names.map((name) => launch(serviceProcess(name))))
  const [collector, consumer, query, retention] = started as [
    LaunchedProcess,
    LaunchedProcess,
    LaunchedProcess,
    LaunchedProcess,
  ]
  await waitsFor(collector, 'sources', /Postgres does not answer/)
  await waitsFor(consumer, 'consumer', /Kafka.*ECONNREFUSED|ECONNREFUSED.*Kafka/)
  await waitsFor(query, 'postgres', /ECONNREFUSED/)
  await waitsFor(retention, 'retention', /ECONNREFUSED/)
  const traffic = startTraffic({ url: collector.url, writeKey, events: EVENTS })

  await postgres.open()
  await untilAllIsWell(collector, query, retention)
  expect((await readyz(collector))?.parts['log']).toMatchObject({ degraded: true })
  await traffic.acknowledged
  await waitsFor(consumer, 'consumer', /Kafka.*ECONNREFUSED/)

  await kafka.open()
  await untilAllIsWell(...started)
  await expectStoredOnce(database.pool, traffic.run, EVENTS)
  const counts = await fetch(`${query.url}/v1/counts`, { headers: { authorization: `Bearer ${operatorToken}` } })
  expect(await counts.json()).toMatchObject({ counts: [{ event_type: 'SearchStarted', event_count: EVENTS }] })
  for (const one of started) expect(await one.stop('SIGTERM'), one.output()).toBe(0)
})

test('npm start waits for its Postgres and migrates it when it comes; takes events while Kafka is away still', async () => {
  await database.pool.query('drop schema events_internal, public cascade; create schema public')
  const one = await launch({ args: ['infra/run.mjs', 'start'] })
  await waitsFor(one, 'postgres', /ECONNREFUSED/)
  expect(one.output()).toMatch(/Postgres is not reached \(.*ECONNREFUSED.*\)\. This waits for it; compare DATABASE_URL/)
  const early = await fetch(`${one.url}/v1/events`, { method: 'POST', body: '{"event_type":"SearchStarted"}' })
  expect(early.status).toBe(503)
  expect(early.headers.get('retry-after')).toBe('1')
  expect(await early.json()).toMatchObject({ code: 'database_unavailable', retryable: true })

  await postgres.open()
  await vi.waitFor(() => expect(one.output()).toContain('platform-events is ready'), WAIT)
  const said = await readyz(one)
  expect(said).toMatchObject({ status: 200, parts: { log: { ok: true, degraded: true }, consumer: { ok: false } } })
  const { secret_key: writeKey } = JSON.parse(await readFile(join(dataDir.path, 'access.json'), 'utf8'))
  const traffic = startTraffic({ url: one.url, writeKey, events: EVENTS })
  await traffic.acknowledged

  await kafka.open()
  await untilAllIsWell(one)
  await expectStoredOnce(database.pool, traffic.run, EVENTS)
})

test('a signal ends npm start at once while it waits', async () => {
  const one = await launch({ args: ['infra/run.mjs', 'start'] })
  await waitsFor(one, 'postgres', /ECONNREFUSED/)
  const begun = performance.now()
  expect(await one.stop('SIGTERM'), one.output()).toBe(0)
  expect(performance.now() - begun).toBeLessThan(3000)
  expect(one.output()).toContain('Stopped.')
})
