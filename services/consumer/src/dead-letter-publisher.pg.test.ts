import type { DeadLetterMessage, DeadLetterTopic } from '@platform-events/event-log'
import { createLogger, createMetrics } from '@platform-events/runtime'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { DeadLetterPublisher, type DeadLetterPublisherOptions } from './dead-letter-publisher.ts'

const within = { timeout: 10_000, interval: 10 }

/** The topic as a list: what each publish brought. */
class ListedTopic implements DeadLetterTopic {
  readonly name = 'dead'
  readonly requests: DeadLetterMessage[][] = []
  /** Called before the letters are there. */
  before: () => Promise<void> | void = () => undefined
  /** Called when they are. */
  after: () => Promise<void> | void = () => undefined
  closed = false

  async open(): Promise<void> {}

  async publish(letters: DeadLetterMessage[]): Promise<void> {
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

beforeEach(async () => {
  database = await createTestDatabase()
  topic = new ListedTopic()
})

afterEach(async () => {
  await Promise.all(publishers.splice(0).map((publisher) => publisher.stop()))
  await database.drop()
})

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
  it('go to their topic in requests bounded in letters and bytes, each once, the oldest first', async () => {
    const [small, large, huge] = [await letters(5), await letters(3, 3000), await letters(1, 50_000)]
    const ids = [...small, ...large, ...huge]
    publish({ maxLetters: 3, maxBytes: 8000 })
    await untilPublished()
    expect(topic.ids).toEqual(ids)
    expect(topic.requests.map(({ length }) => length)).toEqual([3, 3, 2, 1])
  })
})
