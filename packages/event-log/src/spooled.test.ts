import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { makeRecord } from '../../../test/support/event-log-subject.ts'
import { AcceptedCounts } from './accepted-counts.ts'
import { type EventLog, type LogRecord, LogUnavailableError } from './event-log.ts'
import { openLocalLog } from './local.ts'
import { openSpooledLog, type SpooledLog } from './spooled.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const within = { timeout: 10_000, interval: 5 }

/** Stands for Kafka, from its first append on: by command it refuses, does not answer, or answers late. */
class FakeKafka implements EventLog {
  readonly taken: LogRecord[] = []
  /** Calls of append and lag, also those that came to nothing. */
  asked = 0
  state: 'up' | 'down' | 'frozen' = 'up'
  /** Takes the records and then says that it did not. */
  losesAnswers = false
  delayMs = 0
  #thaw: (() => void)[] = []

  async append(records: LogRecord[]): Promise<void> {
    await this.#answer()
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs))
    this.taken.push(...records)
    if (this.losesAnswers) throw new LogUnavailableError('the answer is lost')
  }

  async lag(): Promise<[]> {
    await this.#answer()
    return []
  }

  /** What was under way while it was frozen is taken now. */
  thaw(): void {
    this.state = 'up'
    for (const go of this.#thaw.splice(0)) go()
  }

  async consume(): Promise<never> {
    throw new Error('not part of this test')
  }

  async close(): Promise<void> {}

  async #answer(): Promise<void> {
    this.asked += 1
    if (this.state === 'down') throw new LogUnavailableError('made unavailable by the test')
    if (this.state === 'frozen') await new Promise<void>((resolve) => this.#thaw.push(resolve))
  }
}

let directory: string
let kafka: FakeKafka
let accepted: AcceptedCounts
let log: SpooledLog

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spool-'))
  kafka = new FakeKafka()
})

afterEach(async () => {
  kafka.thaw()
  await log.close()
  await rm(directory, { recursive: true })
})

async function open(options: { answerMs?: number; maxBytes?: number; kafka?: EventLog } = {}): Promise<void> {
  const { maxBytes = 64 * 1024 ** 2, ...rest } = options
  const spool = await openLocalLog({ directory: join(directory, 'spool'), logger, maxBytes })
  accepted = new AcceptedCounts()
  log = await openSpooledLog({ kafka, spool, accepted, logger, answerMs: 200, ...rest })
}

const direct = () => vi.waitFor(() => expect(log.spool()).toMatchObject({ away: null, events: 0 }), within)

/** Appends so many records under seven keys, all at once. */
function appendMany(count: number, fill = ''): { ids: string[]; records: LogRecord[]; done: Promise<unknown> } {
  const records = Array.from({ length: count }, (_, index) => makeRecord(`key-${index % 7}`, fill))
  const done = Promise.all(records.map((record) => log.append([record])))
  return { ids: records.map(({ headers }) => headers.batch_id), records, done }
}

/** The ids that Kafka has, each where it is there for the first time. */
const firstTaken = () => [...new Set(kafka.taken.map(({ headers }) => headers.batch_id))]

describe('while Kafka is there', () => {
  it('appends to Kafka alone', async () => {
    await open()
    await direct()
    const { ids, done } = appendMany(20)
    await done
    expect(firstTaken()).toEqual(ids)
    expect(log.spool()).toMatchObject({ away: null, events: 0, bytes: 0, drainedEvents: 0 })
  })
})

describe('while Kafka is away', () => {
  it('takes appends into the spool, and drains them as they were and in order, new ones behind them', async () => {
    await open()
    await direct()
    const before = appendMany(20)
    await before.done
    kafka.state = 'down'
    const during = appendMany(500)
    await during.done
    expect(log.spool()).toMatchObject({ away: { reason: 'made unavailable by the test' }, events: 500 })
    kafka.state = 'up'
    const after: string[] = []
    while (log.spool().away !== null) {
      const more = appendMany(3)
      await more.done
      after.push(...more.ids)
    }
    const last = appendMany(5)
    await last.done
    expect(firstTaken()).toEqual([...before.ids, ...during.ids, ...after, ...last.ids])
    expect(log.spool()).toMatchObject({ away: null, events: 0, bytes: 0 })
    expect(log.spool().drainedEvents).toBeGreaterThanOrEqual(500)
    const asSent = ({ key, value, headers }: LogRecord) => ({ key, value: value.toString(), headers })
    const drained = kafka.taken.filter(({ headers }) => during.ids.includes(headers.batch_id))
    expect(drained.map(asSent)).toEqual(during.records.map(asSent))
  })

  it('asks it in the background only: no append after the first waits for it', async () => {
    await open({ answerMs: 300 })
    await direct()
    kafka.state = 'frozen'
    const begun = performance.now()
    await log.append([makeRecord('a')])
    expect(performance.now() - begun).toBeGreaterThan(290)
    const asked = kafka.asked
    const times: number[] = []
    for (let count = 0; count < 30; count += 1) {
      const at = performance.now()
      await log.append([makeRecord('a')])
      times.push(performance.now() - at)
    }
    expect(times.sort((one, other) => one - other)[15]).toBeLessThan(100)
    expect(kafka.asked - asked).toBeLessThanOrEqual(1)
  })

  it('keeps the order when Kafka takes late what it was given before', async () => {
    await open()
    await direct()
    kafka.state = 'frozen'
    const during = appendMany(50)
    await during.done
    kafka.thaw()
    await direct()
    const after = appendMany(5)
    await after.done
    expect(firstTaken()).toEqual([...during.ids, ...after.ids])
  })

  it('sends again what Kafka took without saying so', async () => {
    await open()
    await direct()
    kafka.losesAnswers = true
    const during = appendMany(30)
    await during.done
    await vi.waitFor(() => expect(kafka.taken.length).toBeGreaterThan(60), within)
    kafka.losesAnswers = false
    await direct()
    expect(firstTaken()).toEqual(during.ids)
  })

  it('goes on spooling while Kafka answers slowly, and drains all the same', async () => {
    await open({ answerMs: 300 })
    await direct()
    kafka.delayMs = 400
    const ids: string[] = []
    let heldUp = 0
    while (log.spool().drainedEvents < 800) {
      const begun = performance.now()
      const { ids: more, done } = appendMany(1)
      await done
      ids.push(...more)
      if (performance.now() - begun > 280) heldUp += 1
    }
    // One was, by which it is known that Kafka is slow.
    expect(heldUp).toBeLessThan(4)
    kafka.delayMs = 0
    await direct()
    expect(firstTaken()).toEqual(ids)
  })

  it('is opened while Kafka is away, and says why', async () => {
    kafka.state = 'down'
    await open()
    const during = appendMany(10)
    await during.done
    await vi.waitFor(() => expect(log.spool().away?.reason).toBe('made unavailable by the test'), within)
    expect(kafka.taken).toEqual([])
    kafka.state = 'up'
    await direct()
    expect(firstTaken()).toEqual(during.ids)
  })
})

describe('the spool', () => {
  it('outlives the process: the next one counts it, drains it first, and then removes it', async () => {
    kafka.state = 'down'
    await open()
    const old = appendMany(300, 'x'.repeat(500))
    await old.done
    await log.close()
    await open()
    expect(log.spool()).toMatchObject({ events: 300, away: { since: new Date('2026-03-01T12:00:00.000Z') } })
    const more = appendMany(10)
    await more.done
    kafka.state = 'up'
    await direct()
    expect(firstTaken()).toEqual([...old.ids, ...more.ids])
    await log.close()
    await open()
    await direct()
    expect(log.spool().drainedEvents).toBe(0)
    expect(kafka.taken.length).toBe(310)
  })

  it('drains more than one request in one go, each below what Kafka takes', async () => {
    kafka.state = 'down'
    await open()
    const during = appendMany(3000, 'x'.repeat(2000))
    await during.done
    const sizes: number[] = []
    const append = kafka.append.bind(kafka)
    kafka.append = (records) => {
      sizes.push(records.reduce((sum, { value }) => sum + value.length, 0))
      return append(records)
    }
    kafka.state = 'up'
    await direct()
    expect(firstTaken()).toEqual(during.ids)
    expect(Math.max(...sizes)).toBeLessThan(1_000_000)
    expect(sizes.length).toBeGreaterThan(6)
  })

  it('acknowledges nothing above its bound, and takes events again when it is drained', async () => {
    kafka.state = 'down'
    await open({ maxBytes: 1024 ** 2 })
    const appends = await Promise.allSettled(
      Array.from({ length: 600 }, async (_, index) => {
        const record = makeRecord(`key-${index % 7}`, 'x'.repeat(3000))
        await log.append([record])
        return record.headers.batch_id
      }),
    )
    const refused = appends.filter((result) => result.status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason } of refused) {
      expect(reason).toBeInstanceOf(LogUnavailableError)
      expect(reason.message).toContain('full')
    }
    expect(log.spool().bytes).toBeLessThan(1.2 * 1024 ** 2)
    kafka.state = 'up'
    await direct()
    const taken = appends.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    expect(firstTaken()).toEqual(taken)
    await log.append([makeRecord('a')])
  })
})

it.each([
  { when: 'before that is known', probed: false },
  { when: 'while the drain waits for it', probed: true },
])('ends in time while Kafka is frozen, $when, and leaves what it acknowledged in the spool', async ({ probed }) => {
  await open()
  await direct()
  kafka.state = 'frozen'
  const { ids, done } = appendMany(5)
  // The first append that waits for it, then the drain.
  const asked = kafka.asked
  if (probed) await vi.waitFor(() => expect(kafka.asked).toBe(asked + 2), within)
  const begun = performance.now()
  await Promise.all([log.close(), done])
  expect(performance.now() - begun).toBeLessThan(3000)
  kafka = new FakeKafka()
  await open()
  await direct()
  expect(firstTaken()).toEqual(ids)
})
