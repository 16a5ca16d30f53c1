/**
 * The consumer against a raw COPY of the same rows into the same table with all its indexes: `tsx test/bench/consumer.ts`.
 *
 * Raw: the rows encoded beforehand, one COPY and one commit for each 10,000. Consumer: the same rows as NDJSON records of 20 in
 * an event log in memory; decoding, offsets, session map and rollup included. Each round runs both, in turns first; the ratio is
 * the median of the rounds' own ratios, so that a machine busy for a while weighs on both.
 * BENCH_EVENTS (100000), BENCH_ROUNDS (7), BENCH_PARTITIONS (1) of the topic, TEST_DATABASE_URL (else embedded).
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { createConsumer } from '@platform-events/consumer'
import { type LoggedEvent, logLine } from '@platform-events/contracts'
import type { LogRecord, RecordBatch } from '@platform-events/event-log'
import { BinaryCopy, copyIn, createPool, migrate, type Pool, startEmbeddedPostgres } from '@platform-events/postgres'
import { createLogger, createMetrics } from '@platform-events/runtime'
import { ActorKeys } from '../../services/consumer/src/actor-key.ts'
import { PreparedBatch } from '../../services/consumer/src/prepared-batch.ts'
import { COPY_COLUMNS, encodeRows } from '../../services/consumer/src/row-encoder.ts'
import { ScriptedLog } from '../support/scripted-log.ts'

const EVENTS = Number(process.env['BENCH_EVENTS'] ?? 100_000)
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 7)
const PARTITIONS = Number(process.env['BENCH_PARTITIONS'] ?? 1)
const PER_RECORD = 20
const PER_LOAD = 10_000

const logger = createLogger({ name: 'bench', level: 'silent' })
const server = await startServer()
const pool = createPool({ connectionString: server.connectionString, applicationName: 'platform-events bench', max: 4 })
try {
  await migrate(server.connectionString)
  const log = new ScriptedLog(PARTITIONS)
  await log.append(sampleRecords(EVENTS))
  const copies = await encodeAll(log)

  const rates: Record<'raw' | 'consumer', number[]> = { raw: [], consumer: [] }
  for (let round = 0; round <= ROUNDS; round++) {
    for (const subject of round % 2 === 0 ? (['raw', 'consumer'] as const) : (['consumer', 'raw'] as const)) {
      await empty(pool)
      const seconds = subject === 'raw' ? await rawCopy(pool, copies) : await consume(pool, log)
      // The first round warms both up.
      if (round > 0) rates[subject].push(Math.round(EVENTS / seconds))
    }
  }
  const { rows } = await pool.query<{ version: string; n: string }>(
    `select current_setting('server_version') as version, count(*) as n from public.platform_events`,
  )
  if (Number(rows[0]!.n) !== EVENTS) throw new Error(`${rows[0]!.n} rows stored of ${EVENTS}`)
  const result = {
    name: 'consumer',
    ratio: Number(median(rates.raw.map((raw, round) => rates.consumer[round]! / raw)).toFixed(3)),
    raw_rows_per_second: median(rates.raw),
    consumer_rows_per_second: median(rates.consumer),
    rounds: rates,
    events: EVENTS,
    events_per_record: PER_RECORD,
    topic_partitions: PARTITIONS,
    machine: {
      cpu: cpus()[0]?.model,
      cores: cpus().length,
      memory_gib: Math.round(totalmem() / 2 ** 30),
      node: process.version,
      postgres: rows[0]!.version,
    },
  }
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
} finally {
  await pool.end()
  await server.stop()
}

async function rawCopy(pool: Pool, copies: Buffer[]): Promise<number> {
  const client = await pool.connect()
  const started = performance.now()
  for (const data of copies) {
    await copyIn(client, `copy public.platform_events (${COPY_COLUMNS}) from stdin (format binary)`, data)
  }
  const seconds = (performance.now() - started) / 1000
  client.release()
  return seconds
}

async function consume(pool: Pool, log: ScriptedLog): Promise<number> {
  let records = (await log.lag(async () => 0)).reduce((sum, { end }) => sum + end, 0)
  let done = (): void => undefined
  const all = new Promise<void>((resolve) => {
    done = resolve
  })
  const counting = {
    append: log.append.bind(log),
    lag: log.lag.bind(log),
    close: log.close.bind(log),
    consume: (options: Parameters<ScriptedLog['consume']>[0]) =>
      log.consume({
        ...options,
        async onBatch(batch: RecordBatch) {
          const next = await options.onBatch(batch)
          records -= batch.records.length
          if (records === 0) done()
          return next
        },
      }),
  }
  const consumer = createConsumer({ log: counting, pool, logger, metrics: createMetrics(), maxEvents: PER_LOAD })
  const started = performance.now()
  await consumer.start()
  await all
  const seconds = (performance.now() - started) / 1000
  await consumer.stop()
  return seconds
}

/** The same rows as the consumer would send them. */
async function encodeAll(log: ScriptedLog): Promise<Buffer[]> {
  const copies: Buffer[] = []
  let stop = (): void => undefined
  const all = new Promise<void>((resolve) => {
    stop = resolve
  })
  let events = 0
  const copy = new BinaryCopy()
  const actorKeys = new ActorKeys()
  const consumption = await log.consume({
    group: 'bench',
    maxEvents: PER_LOAD,
    from: async () => null,
    async onBatch(batch) {
      const prepared = new PreparedBatch(batch, actorKeys)
      copies.push(Buffer.concat([...encodeRows(copy, prepared.rowSlices(1000))]))
      events += prepared.rows.length
      if (events === EVENTS) stop()
      return batch.nextOffset
    },
  })
  await all
  await consumption.stop()
  return copies
}

async function empty(pool: Pool): Promise<void> {
  await pool.query(`
    truncate public.platform_events, events_internal.session_users, events_internal.event_rollup_hourly,
      events_internal.consumer_offsets`)
  await pool.query('checkpoint')
}

/** Sessions of 1 to 20 events in runs, 62 % of a signed-in user, properties of about 290 bytes, an hour of time. */
function sampleRecords(count: number): LogRecord[] {
  const names = ['SearchStarted', 'SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'PaymentAttempted']
  const users = Array.from({ length: 20_000 }, () => randomUUID())
  const startedAt = Date.now() - 3_600_000
  const records: LogRecord[] = []
  let session: { id: string; user: string | undefined; left: number } | undefined
  for (let made = 0; made < count; ) {
    let value = ''
    let key = ''
    const events = Math.min(PER_RECORD, count - made)
    for (let i = 0; i < events; i++, made++) {
      if (session === undefined || session.left-- === 0) {
        const user = Math.random() < 0.62 ? users[Math.floor(Math.random() ** 2 * users.length)] : undefined
        session = { id: randomUUID(), user, left: Math.floor(Math.random() * 20) }
      }
      key ||= session.id
      value += logLine(sampleEvent(names[made % names.length]!, session, new Date(startedAt + made * (3e6 / count))))
    }
    const headers = {
      schema: '1' as const,
      source_id: 1,
      batch_id: randomUUID(),
      received_at: new Date().toISOString(),
      events,
    }
    records.push({ key, value: Buffer.from(value), headers })
  }
  return records
}

function sampleEvent(name: string, session: { id: string; user: string | undefined }, createdAt: Date): LoggedEvent {
  return {
    id: uuidv7(createdAt.getTime()),
    event_type: name,
    ...(session.user === undefined ? {} : { user_id: session.user }),
    session_id: session.id,
    created_at: createdAt.toISOString(),
    stream: session.id,
    seq: Math.floor(Math.random() * 100),
    properties: {
      pro_id: randomUUID(),
      city: 'Medellín',
      service: 'plumbing',
      price: Math.floor(Math.random() * 400_000),
      availability_score: Math.random(),
      badges: ['verified', 'top'],
      device: 'mobile',
      lat: 6.2442 + Math.random() / 100,
      lng: -75.5812 + Math.random() / 100,
      experiment: 'ranking-b',
      url: `https://example.com/professionals?page=${Math.floor(Math.random() * 50)}`,
    },
  }
}

function uuidv7(time: number): string {
  const hex = time.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${randomUUID().slice(15)}`
}

async function startServer(): Promise<{ connectionString: string; stop(): Promise<void> }> {
  const given = process.env['TEST_DATABASE_URL']
  if (given) return { connectionString: given, stop: async () => {} }
  const dataDir = await mkdtemp(join(tmpdir(), 'platform-events-bench-'))
  const server = await startEmbeddedPostgres({ dataDir, logger })
  return {
    connectionString: server.connectionString,
    async stop() {
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

function median(numbers: number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!
}
