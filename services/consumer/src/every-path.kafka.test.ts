import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { uuidv7Generator } from '@platform-events/contracts'
import { LogUnavailableError, openKafkaLog, openLocalLog } from '@platform-events/event-log'
import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { AcceptedCounts } from '../../../packages/event-log/src/accepted-counts.ts'
import { openSpooledLog, type SpooledLog } from '../../../packages/event-log/src/spooled.ts'
import { PUBLIC_KEY, type TestCollector, testCollector } from '../../../test/support/collector.ts'
import { makeDataDir } from '../../../test/support/data-dir.ts'
import { kafkaBrokers, kafkaMissing, uniqueTopic } from '../../../test/support/kafka.ts'
import { ledgerFaults, ledgerSums } from '../../../test/support/ledger.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { testConsumer, untilConsumed } from '../../../test/support/sample-events.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const HOUR_MS = 3_600_000

let database: TestDatabase
let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let log: SpooledLog
let collector: TestCollector
/** Kafka is reached, and nobody hears that it has taken anything; or it is not reached. */
let fault: 'none' | 'answers lost' | 'away' = 'none'
/** The collector's clock, ahead of ours. */
let aheadMs = 0

beforeEach(async (context) => {
  context.skip(kafkaMissing() !== null, kafkaMissing() ?? '')
  ;[database, dataDir] = await Promise.all([createTestDatabase(), makeDataDir()])
  const topic = uniqueTopic('every-path')
  const kafka = await openKafkaLog({ brokers: kafkaBrokers(), clientId: 'test', topic, partitions: 2, logger })
  const spool = await openLocalLog({ directory: join(dataDir.path, 'spool'), logger })
  const failing: typeof kafka = {
    ...kafka,
    async append(records) {
      if (fault !== 'away') await kafka.append(records)
      if (fault !== 'none') throw new LogUnavailableError('made unavailable by the test')
    },
    lag: (next) => (fault === 'none' ? kafka.lag(next) : Promise.reject(new LogUnavailableError('away'))),
  }
  log = await openSpooledLog({ kafka: failing, spool, accepted: new AcceptedCounts(), logger })
  collector = await testCollector({ log, source: { sourceId: 1, userIds: 'trust' }, now: () => Date.now() + aheadMs })
  await direct()
})

afterEach(async () => {
  await collector?.app.close()
  await log?.close()
  await database?.drop()
  await dataDir?.remove()
})

const direct = () => vi.waitFor(() => expect(log.spool().away).toBeNull(), { timeout: 30_000 })

it('an event that comes by every path twice is one row, whatever its clock says', { timeout: 60_000 }, async () => {
  const session_id = 's'
  const behind = new Date(Date.now() - 2 * HOUR_MS).toISOString()
  /** As trackers send them; `sent_at` is stamped on each attempt. */
  const requests = [
    { event: { id: randomUUID(), event_type: 'A', session_id, created_at: new Date().toISOString() }, clockMs: 0 },
    { event: { id: randomUUID(), event_type: 'B', session_id, created_at: behind }, clockMs: -2 * HOUR_MS },
    { event: { id: uuidv7Generator()(), event_type: 'C', session_id }, clockMs: 0 },
    // Neither a time nor a UUIDv7: only the receipt dates it, and each attempt has another.
    { event: { id: randomUUID(), event_type: 'D', session_id }, clockMs: null },
  ]
  const send = async (): Promise<void> => {
    for (const { event, clockMs } of requests) {
      const sent_at = clockMs === null ? {} : { sent_at: new Date(Date.now() + aheadMs + clockMs).toISOString() }
      const answer = await collector.post({ batch: [event], ...sent_at }, { authorization: `Bearer ${PUBLIC_KEY}` })
      expect(answer).toMatchObject({ status: 202, body: { accepted: 1 } })
    }
  }

  // The browser's retry after a lost 202, at once and a while later.
  await send()
  await send()
  aheadMs = 4 * 60_000
  await send()
  // Through the spool: Kafka not reached, and Kafka that took it but was not heard, so that the drain sends it again.
  for (const how of ['away', 'answers lost'] as const) {
    fault = how
    await send()
    await send()
    fault = 'none'
    await direct()
  }
  const consumer = testConsumer(log, database.connectionString)
  try {
    await consumer.start()
    await untilConsumed(log, database.pool, 30_000)
  } finally {
    await consumer.end()
  }
  const once = await rows()
  expect(once.map(({ event_type }) => event_type)).toEqual(['A', 'B', 'C', 'D'])

  // Redelivery of all that Kafka holds.
  await database.pool.query('update events_internal.consumer_offsets set next_offset = 0')
  const again = testConsumer(log, database.connectionString, { group: 'again' })
  try {
    await again.start()
    await untilConsumed(log, database.pool, 30_000)
  } finally {
    await again.end()
  }
  expect(await rows()).toEqual(once)
  // Seven times four were answered by 202; what Kafka has twice, or delivered twice, counts once.
  const settled = { accepted: 28, stored: 4, duplicate: 24, in_flight: 0 }
  expect(await ledgerSums(database.pool)).toMatchObject(settled)
  expect(await ledgerFaults(database.pool)).toEqual([])

  // As dead letters that somebody mends to the same lines, and replays.
  for (const { id, event_type, created_at } of once) {
    const line = JSON.stringify({ id, event_type, session_id, created_at, properties: {} })
    const letter = await database.pool.query<{ dead_letter_id: string }>(
      `insert into events_internal.dead_letters (source_id, log_id, topic, topic_partition, record_offset, line, reason, raw, received_at)
       values (1, $1, 'test', 0, 0, 0, 'refused', convert_to($2, 'UTF8'), now()) returning dead_letter_id`,
      [id, line],
    )
    const replayed = await database.pool.query('select outcome from events_internal.replay_dead_letter($1, $2)', [
      letter.rows[0]!.dead_letter_id,
      'test',
    ])
    expect(replayed.rows).toEqual([{ outcome: 'duplicate' }])
  }
  expect(await rows()).toEqual(once)
})

async function rows(): Promise<{ id: string; event_type: string; created_at: string }[]> {
  const found = await database.pool.query<{ id: string; event_type: string; created_at: string }>(
    `select id, event_type, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as created_at
     from public.platform_events order by event_type, created_at`,
  )
  return found.rows
}
