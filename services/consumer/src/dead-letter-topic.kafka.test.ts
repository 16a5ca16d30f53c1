import { randomUUID } from 'node:crypto'
import { logLine } from '@platform-events/contracts'
import { openDeadLetterTopic, openEventLog } from '@platform-events/event-log'
import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { kafkaBrokers, kafkaMissing, uniqueTopic } from '../../../test/support/kafka.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { readTopic } from '../../../test/support/read-topic.ts'
import { sampleEvent, sampleRecord, testConsumer, untilConsumed } from '../../../test/support/sample-events.ts'

const TOO_LONG = Array.from({ length: 1200 }, () => randomUUID()).join('')
const logger = createLogger({ name: 'test', level: 'silent' })

let database: TestDatabase
let settings: { KAFKA_BROKERS: string; KAFKA_TOPIC: string; KAFKA_DLQ_TOPIC: string; DATA_DIR: string }

beforeEach(async (context) => {
  context.skip(kafkaMissing() !== null, kafkaMissing() ?? '')
  database = await createTestDatabase()
  settings = {
    KAFKA_BROKERS: kafkaBrokers().join(','),
    KAFKA_TOPIC: uniqueTopic(),
    KAFKA_DLQ_TOPIC: uniqueTopic('dead'),
    DATA_DIR: 'not used',
  }
})

afterEach(async () => {
  await database?.drop()
})

const untilPublished = () =>
  vi.waitFor(
    async () => {
      const { rows } = await database.pool.query('select from events_internal.dead_letter_outbox')
      expect(rows).toEqual([])
    },
    { timeout: 20_000, interval: 20 },
  )

it('a poison row is in Postgres and on the topic, with its bytes, where it came from, and why it died', async () => {
  const log = await openEventLog(settings, logger)
  const consumer = testConsumer(log, database.connectionString, {
    group: randomUUID(),
    deadLetterTopic: openDeadLetterTopic(settings, logger),
  })
  try {
    await consumer.start()
    const poison = sampleEvent({ session_id: TOO_LONG })
    const record = { ...sampleRecord([sampleEvent(), poison, 'garbage'], { source_id: 5 }), key: 'a session' }
    await log.append([record])
    await untilConsumed(log, database.pool)
    await untilPublished()
    const { rows } = await database.pool.query('select * from events_internal.dead_letters order by line')
    const published = await readTopic(settings.KAFKA_DLQ_TOPIC)
    const [first, second] = published.sort((one, other) => Number(one.headers['line']) - Number(other.headers['line']))
    expect(published).toHaveLength(2)
    expect(first).toEqual({
      key: 'a session',
      value: Buffer.from(logLine(poison).trimEnd()),
      headers: {
        dead_letter_id: rows[0].dead_letter_id,
        reason: 'refused',
        sqlstate: '54000',
        message: rows[0].message,
        log_id: rows[0].log_id,
        topic: settings.KAFKA_TOPIC,
        partition: String(rows[0].topic_partition),
        offset: '0',
        line: '1',
        source_id: '5',
        event_id: poison.id,
        received_at: record.headers.received_at,
        dead_at: rows[0].dead_at.toISOString(),
      },
    })
    expect(second).toMatchObject({
      key: 'a session',
      value: Buffer.from('garbage'),
      headers: { dead_letter_id: rows[1].dead_letter_id, reason: 'not_an_event', line: '2' },
    })
    expect(second!.headers).not.toHaveProperty('sqlstate')
  } finally {
    await consumer.end()
    await log.close()
  }
})
