import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DeadLetterMessage, type DeadLetterTopic, LogUnavailableError } from '@platform-events/event-log'
import { createLogger, createMetrics } from '@platform-events/runtime'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  sampleEvent,
  sampleRecord,
  tableState,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'
import { ScriptedLog } from '../../../test/support/scripted-log.ts'
import { DeadLetterPublisher, type DeadLetterPublisherOptions } from './dead-letter-publisher.ts'

const within = { timeout: 10_000, interval: 10 }

/** The topic as a list: what each publish brought. */
class ListedTopic implements DeadLetterTopic {
  readonly name = 'dead'
  readonly requests: DeadLetterMessage[][] = []
  /** How many were begun. */
  begun = 0
  /** Called before the letters are there. */
  before: () => Promise<void> | void = () => undefined
  /** Called when they are. */
  after: () => Promise<void> | void = () => undefined
  closed = false

  async open(): Promise<void> {}

  async publish(letters: DeadLetterMessage[]): Promise<void> {
    this.begun += 1
    await this.before()
    this.requests.push(letters)
    await this.after()
  }

  async close(): Promise<void> {
    this.closed = true
  }

  get ids(): string[] {
    return this.requests.flat().map(({ headers }) => headers['dead_letter_id']!)
  }
}

let database: TestDatabase
let topic: ListedTopic
const publishers: DeadLetterPublisher[] = []

beforeAll(async () => {
  database = await createTestDatabase()
})

beforeEach(async () => {
  topic = new ListedTopic()
  await database.pool.query('truncate events_internal.dead_letters, events_internal.dead_letter_outbox')
})

afterEach(() => Promise.all(publishers.splice(0).map((publisher) => publisher.stop())))

afterAll(() => database.drop())

function publish(options: Partial<DeadLetterPublisherOptions> = {}): DeadLetterPublisher {
  const publisher = new DeadLetterPublisher({
    pool: database.pool,
    topic,
    logger: createLogger({ name: 'test', level: 'silent' }),
    metrics: createMetrics(),
    pollMs: 20,
    backoffMs: [5, 20],
    ...options,
  })
  publishers.push(publisher)
  publisher.start()
  return publisher
}

/** Letters of so many bytes each, as a load leaves them. @returns their ids, in order */
async function letters(count: number, bytes = 10): Promise<string[]> {
  const { rows } = await database.pool.query<{ id: string }>(
    `with dead as (
       insert into events_internal.dead_letters (log_id, topic, topic_partition, record_offset, line, reason, raw)
       select 'l', 't', 0, coalesce((select max(record_offset) from events_internal.dead_letters), 0) + n, 0, 'refused',
              convert_to(repeat('x', $2), 'UTF8')
       from generate_series(1, $1) as n returning dead_letter_id)
     insert into events_internal.dead_letter_outbox select dead_letter_id from dead returning dead_letter_id as id`,
    [count, bytes],
  )
  return rows.map(({ id }) => id).sort((one, other) => Number(one) - Number(other))
}

async function waiting(): Promise<number> {
  const { rows } = await database.pool.query('select count(*)::int as n from events_internal.dead_letter_outbox')
  return rows[0].n
}

const untilPublished = () => vi.waitFor(async () => expect(await waiting()).toBe(0), within)

describe('dead letters', () => {
  it('go to their topic in requests bounded in letters and bytes, the oldest first', async () => {
    const [small, large, huge] = [await letters(5), await letters(3, 3000), await letters(1, 50_000)]
    publish({ maxLetters: 3, maxBytes: 8000 })
    await untilPublished()
    expect(topic.ids).toEqual([...small, ...large, ...huge])
    expect(topic.requests.map(({ length }) => length)).toEqual([3, 3, 2, 1])
  })

  it('are published once by two publishers at once', async () => {
    const ids = await letters(200)
    topic.before = () => sleep(1)
    publish({ maxLetters: 7 })
    publish({ maxLetters: 7 })
    await untilPublished()
    expect(topic.requests.length).toBeGreaterThanOrEqual(200 / 7)
    expect(topic.ids.sort()).toEqual(ids.sort())
  })

  it('are published again, and not lost, when the publisher dies between the answer of Kafka and the commit', async () => {
    const ids = await letters(3)
    let deaths = 2
    topic.after = async () => {
      if (deaths-- <= 0) return
      await database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'platform-events dead letters'
           and datname = current_database()`,
      )
    }
    publish()
    await untilPublished()
    expect(topic.ids).toEqual([...ids, ...ids, ...ids])
  })

  it('are published at once when they are told of', async () => {
    const publisher = publish({ pollMs: 3_600_000 })
    for (const round of [1, 2, 3]) {
      await letters(1)
      publisher.wake()
      await untilPublished()
      expect(topic.ids).toHaveLength(round)
    }
  })

  it('hold up nobody who mends, replays or gives them up while Kafka is waited for', async () => {
    const [id] = await letters(1)
    let release = () => {}
    topic.before = () =>
      new Promise((resolve) => {
        release = resolve
      })
    publish()
    await vi.waitFor(() => expect(topic.begun).toBe(1), within)
    const { rows } = await database.pool.query(`select * from events_internal.give_up_dead_letter($1, 'ana')`, [id])
    expect(rows).toMatchObject([{ outcome: 'given_up' }])
    release()
    await untilPublished()
    expect(topic.ids).toEqual([id])
  })

  it('are still to be published after a stop that gave them up', async () => {
    await letters(1)
    topic.before = () => new Promise(() => undefined)
    const publisher = publish()
    await vi.waitFor(() => expect(topic.begun).toBe(1), within)
    await publisher.stop()
    expect(topic.closed).toBe(true)
    expect(await waiting()).toBe(1)
    topic.before = () => undefined
    publish()
    await untilPublished()
  })

  it('that somebody deleted are not waited for', async () => {
    const ids = await letters(3)
    await database.pool.query('delete from events_internal.dead_letters where dead_letter_id = any($1)', [
      ids.slice(0, 2),
    ])
    publish({ maxLetters: 2 })
    await untilPublished()
    expect(topic.ids).toEqual(ids.slice(2))
  })
})

describe('a consumer', () => {
  const metrics = createMetrics()

  /** Takes a batch with a line that is no event. */
  async function load(log: ScriptedLog): Promise<void> {
    await log.append([sampleRecord([sampleEvent(), 'garbage'])])
    await untilConsumed(log, database.pool)
  }

  it('goes on while Kafka takes no dead letters, says so, and publishes them when it does', async () => {
    const log = new ScriptedLog(1, randomUUID())
    const consumer = testConsumer(log, database.connectionString, { deadLetterTopic: topic, metrics })
    try {
      await consumer.start()
      topic.before = () => {
        throw new LogUnavailableError('Kafka is out for lunch')
      }
      await load(log)
      await load(log)
      expect(await tableState(database.pool)).toMatchObject({ dead: 2 })
      await vi.waitFor(
        async () =>
          expect(await consumer.check()).toMatchObject({
            ok: true,
            degraded: true,
            detail: expect.stringMatching(/; 2 dead letters are not on dead yet: Kafka is out for lunch$/),
          }),
        within,
      )
      expect(await metrics.metrics()).toContain('consumer_dead_letters_unpublished 2')

      topic.before = () => undefined
      await untilPublished()
      expect(topic.ids).toHaveLength(2)
      await vi.waitFor(async () => expect(await consumer.check()).not.toHaveProperty('degraded'), within)
      expect(await metrics.metrics()).toContain('consumer_dead_letters_published_total 2')
      expect(await metrics.metrics()).toContain('consumer_dead_letters_unpublished 0')
    } finally {
      await consumer.end()
    }
    expect(topic.closed).toBe(true)
  })

  it('on the local log leaves dead letters in Postgres, for no topic', async () => {
    const log = new ScriptedLog(1, randomUUID())
    const consumer = testConsumer(log, database.connectionString)
    await consumer.start()
    await load(log)
    await consumer.end()
    expect(await tableState(database.pool)).toMatchObject({ dead: 1 })
    expect(await waiting()).toBe(0)
  })
})
