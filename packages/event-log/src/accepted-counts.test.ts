import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { makeDataDir } from '../../../test/support/data-dir.ts'
import { makeRecord } from '../../../test/support/event-log-subject.ts'
import { AcceptedCounts } from './accepted-counts.ts'
import { type EventLog, type LogRecord, LogUnavailableError } from './event-log.ts'
import { openLocalLog } from './local.ts'
import { openSpooledLog, type SpooledLog } from './spooled.ts'

const logger = createLogger({ name: 'test', level: 'silent' })

let dataDir: Awaited<ReturnType<typeof makeDataDir>>
const closing: { close(): Promise<void> }[] = []

beforeEach(async () => {
  dataDir = await makeDataDir()
})

afterEach(async () => {
  for (const log of closing.splice(0).reverse()) await log.close()
  await dataDir.remove()
})

/** The highest number of each collector. */
function reached(records: LogRecord[]): Map<string, number> {
  const highest = new Map<string, number>()
  for (const { headers } of records)
    highest.set(headers.collector_id!, Math.max(highest.get(headers.collector_id!) ?? 0, headers.accepted!))
  return highest
}

/** What the ledger stands on: the highest numbers of all collectors add up to the events that are in the log. */
function expectNumbersToAddUp(records: LogRecord[]): void {
  const distinct = new Map(records.map((record) => [record.headers.batch_id, record.headers.events]))
  const events = [...distinct.values()].reduce((sum, n) => sum + n, 0)
  expect([...reached(records).values()].reduce((sum, n) => sum + n, 0)).toBe(events)
}

describe('in the local log', () => {
  it('each record carries the number it reaches, by source and day, and the acknowledged ones are told once', async () => {
    const accepted = new AcceptedCounts()
    const log = await openLocalLog({ directory: `${dataDir.path}/log`, logger, accepted })
    closing.push(log)
    const late = makeRecord('b')
    late.headers.received_at = '2026-03-02T00:00:00.000Z'
    await log.append([makeRecord('a'), makeRecord('b')])
    await log.append([late, makeRecord('a')])
    const numbers = log.read(0, 1e6).map(({ headers }) => [headers.accepted_before, headers.accepted])
    // What comes before its group is durable; what its group has, only together with it.
    expect(numbers).toEqual([
      [0, 1],
      [0, 2],
      [0, 1],
      [2, 3],
    ])
    expect(accepted.takeNews()).toMatchObject([
      { source_id: 7, day: '2026-03-01', accepted: 3 },
      { source_id: 7, day: '2026-03-02', accepted: 1 },
    ])
    expect(accepted.takeNews()).toEqual([])
  })

  it('what it refused was not counted', async () => {
    const accepted = new AcceptedCounts()
    const log = await openLocalLog({ directory: `${dataDir.path}/log`, logger, accepted, maxBytes: 200_000 })
    closing.push(log)
    let refused = 0
    for (let turn = 0; turn < 100; turn++)
      await log.append([makeRecord('a', 'x'.repeat(turn % 2 === 0 ? 20_000 : 100))]).catch(() => refused++)
    expect(refused).toBeGreaterThan(10)
    const records = log.read(0, 1e9)
    expect(records.length).toBeGreaterThan(10)
    expectNumbersToAddUp(records)
    expect(accepted.takeNews()).toMatchObject([{ accepted: records.length }])
  })
})

describe('over Kafka', () => {
  const taken: LogRecord[] = []
  let failing: 'no' | 'refuses' | 'loses the answer'
  let log: SpooledLog
  let accepted: AcceptedCounts

  const kafka: EventLog = {
    async append(records) {
      if (failing === 'refuses') throw new LogUnavailableError('refused by the test')
      taken.push(...records.map((record) => ({ ...record, headers: { ...record.headers } })))
      if (failing === 'loses the answer') throw new LogUnavailableError('the answer is lost')
    },
    async lag() {
      if (failing !== 'no') throw new LogUnavailableError('away')
      return []
    },
    async consume() {
      throw new Error('not part of this test')
    },
    async close() {},
  }

  async function open(maxBytes = 64 * 1024 ** 2): Promise<void> {
    const spool = await openLocalLog({ directory: `${dataDir.path}/spool`, logger, maxBytes })
    accepted = new AcceptedCounts()
    log = await openSpooledLog({ kafka, spool, accepted, logger, answerMs: 500 })
    closing.push(log)
  }

  const direct = () => vi.waitFor(() => expect(log.spool().away).toBeNull(), { timeout: 10_000, interval: 5 })

  beforeEach(() => {
    taken.length = 0
    failing = 'no'
  })

  it('the numbers go on through the spool and back, and a record that is there twice has its number twice', async () => {
    await open()
    await direct()
    await log.append([makeRecord('a')])
    failing = 'loses the answer'
    await log.append([makeRecord('a')])
    failing = 'refuses'
    await log.append([makeRecord('b'), makeRecord('a')])
    failing = 'no'
    await direct()
    await log.append([makeRecord('c')])
    expect(taken.map(({ headers }) => headers.accepted)).toEqual([1, 2, 2, 3, 4, 5])
    expect(new Set(taken.map(({ headers }) => headers.collector_id)).size).toBe(1)
    expectNumbersToAddUp(taken)
    expect(accepted.takeNews()).toMatchObject([{ accepted: 5 }])
  })

  it('a full spool counts nothing that it refused', async () => {
    failing = 'refuses'
    await open(300_000)
    await Promise.allSettled(Array.from({ length: 400 }, () => log.append([makeRecord('a', 'x'.repeat(2000))])))
    failing = 'no'
    await direct()
    await log.append([makeRecord('a')])
    expect(taken.length).toBeLessThan(400)
    expectNumbersToAddUp(taken)
  })

  it('after a group that neither Kafka answered for nor the spool took, the count begins anew under another id', async () => {
    await open(0)
    await direct()
    await log.append([makeRecord('a')])
    failing = 'loses the answer'
    await expect(log.append([makeRecord('a')])).rejects.toThrow('full')
    failing = 'no'
    await direct()
    await log.append([makeRecord('a')])
    expect(taken.map(({ headers }) => headers.accepted)).toEqual([1, 2, 1])
    expectNumbersToAddUp(taken)
  })

  it('a later process tells of what an earlier one accepted and left in the spool', async () => {
    failing = 'refuses'
    await open()
    await log.append([makeRecord('a'), makeRecord('b')])
    const [told] = accepted.takeNews()
    await closing.pop()!.close()
    await open()
    expect(accepted.takeNews()).toEqual([told])
  })
})
