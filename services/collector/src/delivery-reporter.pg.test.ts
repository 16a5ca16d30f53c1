import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CollectingLog, openCollectingLog } from '@platform-events/event-log'
import type { Component } from '@platform-events/runtime'
import { createLogger } from '@platform-events/runtime'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PUBLIC_KEY, testCollector } from '../../../test/support/collector.ts'
import { makeDataDir } from '../../../test/support/data-dir.ts'
import { ledgerSums } from '../../../test/support/ledger.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { deliveryReporter } from './delivery-reporter.ts'
import { ReceivedCounts } from './received-counts.ts'
import { saveDeliveryReport } from './save-delivery-report.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const stream = randomUUID()

let database: TestDatabase
let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let running: { app: FastifyInstance; log: CollectingLog; reporter: Component }
let postgres: 'up' | 'away' | 'frozen'

beforeEach(async () => {
  ;[database, dataDir] = await Promise.all([createTestDatabase(), makeDataDir()])
  postgres = 'up'
  running = await start()
})

afterEach(async () => {
  await end()
  await database.drop()
  await dataDir.remove()
})

/** A collector as its process has it, on the local log or, with brokers that nobody hears, on its spool. */
async function start(kafka?: string) {
  const settings = { DATA_DIR: dataDir.path, SPOOL_MAX_BYTES: 1e8, KAFKA_BROKERS: kafka }
  const log = await openCollectingLog(settings, logger)
  const received = new ReceivedCounts()
  const { app } = await testCollector({ log, received, source: { sourceId: 1 } })
  const reporter = deliveryReporter({
    ...{ log, received, logger, everyMs: 20, file: join(dataDir.path, 'delivery-report.json') },
    async save(report) {
      if (postgres === 'away') throw new Error('made unavailable by the test')
      if (postgres === 'frozen') await new Promise(() => undefined)
      await saveDeliveryReport(database.pool, report)
    },
  })
  await reporter.start()
  return { app, log, reporter }
}

async function end(): Promise<void> {
  await running.app.close()
  await running.reporter.stop()
  await running.log.close()
}

/** Two accepted, one of them twice, and two rejected, numbered from `seq`. */
async function post(seq: number): Promise<void> {
  const good = { id: randomUUID(), event_type: 'SearchStarted' }
  const batch = [
    good,
    good,
    { event_type: 'A' },
    { event_type: '', stream, seq },
    { properties: 3, stream, seq: seq + 1 },
  ]
  const headers = { authorization: `Bearer ${PUBLIC_KEY}` }
  const answer = await running.app.inject({ method: 'POST', url: '/v1/events', headers, payload: { batch } })
  expect(answer.json()).toMatchObject({ accepted: 2, duplicates: 1 })
}

const told = (times: number) =>
  vi.waitFor(async () => {
    expect(await ledgerSums(database.pool)).toMatchObject({
      ...{ received: 5 * times, accepted: 3 * times, rejected: 2 * times, duplicate: times, in_flight: 2 * times },
    })
  })

describe('a collector', () => {
  it('tells the ledger what it accepted and rejected, by code, and the numbers that will not come', async () => {
    await post(0)
    await told(1)
    await post(2)
    await told(2)
    const { rows } = await database.pool.query('select rejected_by_code from events_internal.delivery_ledger')
    expect(Object.values(rows[0].rejected_by_code).reduce((sum, n) => Number(sum) + Number(n), 0)).toBe(4)
    const numbers = await database.pool.query(
      'select seq from events_internal.rejected_numbers where stream = $1 order by 1',
      [stream],
    )
    expect(numbers.rows).toEqual([{ seq: 0 }, { seq: 1 }, { seq: 2 }, { seq: 3 }])
    expect(existsSync(join(dataDir.path, 'delivery-report.json'))).toBe(false)
  })

  it.each(['away', 'frozen'] as const)('keeps the counts through a kill while Postgres is %s', async (how) => {
    postgres = how
    await post(0)
    const file = join(dataDir.path, 'delivery-report.json')
    await vi.waitFor(() => expect(existsSync(file)).toBe(true))
    // What a kill would leave now; what the end writes is taken away again.
    const left = await readFile(file)
    await end()
    await writeFile(file, left)
    postgres = 'away'
    running = await start()
    await post(2)
    postgres = 'up'
    await told(2)
    await vi.waitFor(() => expect(existsSync(file)).toBe(false))
  })

  it('tells everything once more when it stops', async () => {
    await post(0)
    await end()
    await told(1)
    running = await start()
  })

  it('a report that comes twice, or late, changes nothing', async () => {
    const collector_id = randomUUID()
    const [source_id, day] = [1, '2026-11-24']
    const report = (accepted: number, n: number) => ({
      accepted: [{ collector_id, source_id, day, accepted }],
      rejected: [{ collector_id, source_id, day, code: 'invalid_event_type', n }],
      repeated: [{ collector_id, source_id, day, repeated: n }],
      numbers: [{ source_id, day, stream, seq: 0 }],
      spool: null,
    })
    for (const [accepted, n] of [
      [5, 1],
      [9, 2],
      [9, 2],
      [5, 1],
    ] as const)
      await saveDeliveryReport(database.pool, report(accepted, n))
    expect(await ledgerSums(database.pool)).toMatchObject({ accepted: 11, rejected: 2, duplicate: 2, in_flight: 9 })
  })

  it('tells what waits in its spool, and the next process what the one before accepted', async () => {
    await end()
    running = await start('127.0.0.1:1')
    postgres = 'away'
    await post(0)
    await end()
    running = await start('127.0.0.1:1')
    postgres = 'up'
    await told(1)
    const { rows } = await database.pool.query('select events::int from events_internal.spools')
    expect(rows).toEqual([{ events: 2 }])
  })
})
