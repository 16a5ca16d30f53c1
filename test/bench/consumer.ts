/**
 * The consumer against a raw COPY of the same rows into the same table with all its indexes, and against itself without the statements
 * that keep offsets, rollup and ledger: `tsx test/bench/consumer.ts`.
 *
 * Raw: the rows encoded beforehand, one COPY and one commit for each 10,000. Whole: the same rows as NDJSON records of 20 in an event
 * log in memory; decoding, offsets, session map, ledger and rollup included. Without: the same, those statements answered in this
 * process (skipping-pool.ts). What whole does for rollup and ledger in this process is measured apart, on one core. Each round runs
 * them all, in another order; a ratio is the median of the rounds' own ratios, so that a machine busy for a while weighs on all.
 * BENCH_EVENTS (100000), BENCH_ROUNDS (11), BENCH_PARTITIONS (1) of the topic, TEST_DATABASE_URL (else embedded).
 */
import { createConsumer } from '@platform-events/consumer'
import type { RecordBatch } from '@platform-events/event-log'
import {
  BinaryCopy,
  copyIn,
  createPool,
  migrate,
  type Pool,
  type PoolClient,
  startEmbeddedPostgres,
} from '@platform-events/postgres'
import { createLogger, createMetrics } from '@platform-events/runtime'
import { ActorKeys } from '../../services/consumer/src/actor-key.ts'
import { countDelivery } from '../../services/consumer/src/delivery-counts.ts'
import { PreparedBatch } from '../../services/consumer/src/prepared-batch.ts'
import { addToRollup } from '../../services/consumer/src/rollup.ts'
import { COPY_COLUMNS, encodeRows } from '../../services/consumer/src/row-encoder.ts'
import { makeDataDir } from '../support/data-dir.ts'
import { ScriptedLog } from '../support/scripted-log.ts'
import { machine, median } from './facts.ts'
import { sampleRecords } from './sample-records.ts'
import { type Step, skippingPool } from './skipping-pool.ts'

const EVENTS = Number(process.env['BENCH_EVENTS'] ?? 100_000)
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 11)
const PARTITIONS = Number(process.env['BENCH_PARTITIONS'] ?? 1)
const PER_RECORD = 20
const PER_LOAD = 10_000

/** What each leaves out; raw has nothing of ours. */
const CONSUMERS = {
  whole: [],
  without_offsets: ['offsets'],
  without_ledger: ['ledger'],
  without_rollup: ['rollup'],
  without_rollup_and_ledger: ['rollup', 'ledger'],
} satisfies Record<string, Step[]>
type Subject = 'raw' | keyof typeof CONSUMERS
const SUBJECTS: Subject[] = [
  'raw',
  'whole',
  'without_offsets',
  'without_ledger',
  'without_rollup',
  'without_rollup_and_ledger',
]

const logger = createLogger({ name: 'bench', level: 'silent' })
const server = await startServer()
const pool = createPool({ connectionString: server.connectionString, applicationName: 'platform-events bench', max: 4 })
try {
  await migrate(server.connectionString)
  const log = new ScriptedLog(PARTITIONS)
  await log.append(sampleRecords(EVENTS, PER_RECORD))
  const { copies, batches } = await prepareAll(log)

  const rates = Object.fromEntries(SUBJECTS.map((subject) => [subject, []])) as unknown as Record<Subject, number[]>
  for (let round = 0; round <= ROUNDS; round++) {
    for (const subject of turned(SUBJECTS, round)) {
      await empty(pool)
      const seconds = subject === 'raw' ? await rawCopy(pool, copies) : await consume(log, CONSUMERS[subject])
      await expectAllStored(pool)
      // The first round warms up.
      if (round > 0) rates[subject].push(Math.round(EVENTS / seconds))
    }
  }
  const ofWhole = (other: Subject): number =>
    Number(median(rates[other].map((rate, round) => rates.whole[round]! / rate)).toFixed(3))
  const booksMicros = await booksInThisProcess(batches)
  const result = {
    name: 'consumer',
    ratio: ofWhole('raw'),
    whole_to_without_offsets: ofWhole('without_offsets'),
    whole_to_without_ledger: ofWhole('without_ledger'),
    whole_to_without_rollup: ofWhole('without_rollup'),
    whole_to_without_rollup_and_ledger: ofWhole('without_rollup_and_ledger'),
    rollup_and_ledger_in_node_us_per_event: booksMicros,
    raw_rows_per_second: median(rates.raw),
    consumer_rows_per_second: median(rates.whole),
    rounds: rates,
    events: EVENTS,
    events_per_record: PER_RECORD,
    topic_partitions: PARTITIONS,
    machine: { ...machine(), postgres: (await pool.query('show server_version')).rows[0].server_version },
  }
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
} finally {
  await pool.end()
  await server.stop()
}

/** Another one first in each round. */
function turned<T>(all: T[], round: number): T[] {
  return all.map((_, at) => all[(at + round) % all.length]!)
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

async function consume(log: ScriptedLog, without: Step[]): Promise<number> {
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
  const { pool, skipped } = skippingPool(server.connectionString, without)
  // Connecting is not what is measured.
  await pool.query('select 1')
  const consumer = createConsumer({ log: counting, pool, logger, metrics: createMetrics(), maxEvents: PER_LOAD })
  const started = performance.now()
  await consumer.start()
  await all
  const seconds = (performance.now() - started) / 1000
  await consumer.stop()
  await pool.end()
  if (without.length > 0 && skipped() === 0) throw new Error(`no statement of ${without.join(', ')} was found`)
  return seconds
}

/** The same rows as the consumer would send them, and the batches that they come from, decoded. */
async function prepareAll(log: ScriptedLog): Promise<{ copies: Buffer[]; batches: PreparedBatch[] }> {
  const copies: Buffer[] = []
  const batches: PreparedBatch[] = []
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
      batches.push(prepared)
      events += prepared.rows.length
      if (events === EVENTS) stop()
      return batch.nextOffset
    },
  })
  await all
  await consumption.stop()
  return { copies, batches }
}

/** What rollup and ledger cost in Node: their functions on all batches, with a Postgres that answers nothing at once. */
async function booksInThisProcess(batches: PreparedBatch[]): Promise<number> {
  const client = { query: async () => ({ rows: [] }) } as unknown as PoolClient
  const micros: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const started = performance.now()
    for (const prepared of batches) {
      await countDelivery(client, [prepared], { stored: prepared.rows, dead: [], quarantined: [] })
      await addToRollup(client, prepared.rows, 0)
    }
    micros.push(((performance.now() - started) * 1000) / EVENTS)
  }
  return Number(median(micros).toFixed(3))
}

async function expectAllStored(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ n: number }>('select count(*)::int as n from public.platform_events')
  if (rows[0]!.n !== EVENTS) throw new Error(`${rows[0]!.n} rows stored of ${EVENTS}`)
}

async function empty(pool: Pool): Promise<void> {
  await pool.query(`
    truncate public.platform_events, events_internal.session_users, events_internal.event_rollup_hourly,
      events_internal.consumer_offsets, events_internal.delivery_counts`)
  await pool.query('checkpoint')
}

async function startServer(): Promise<{ connectionString: string; stop(): Promise<void> }> {
  const given = process.env['TEST_DATABASE_URL']
  if (given) return { connectionString: given, stop: async () => {} }
  const dataDir = await makeDataDir()
  const server = await startEmbeddedPostgres({ dataDir: dataDir.path, logger })
  return {
    connectionString: server.connectionString,
    async stop() {
      await server.stop()
      await dataDir.remove()
    },
  }
}
