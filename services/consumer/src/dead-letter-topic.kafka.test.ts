import { randomUUID } from 'node:crypto'
import { connect, createServer } from 'node:net'
import { logLine } from '@platform-events/contracts'
import { type DeadLetterTopic, openDeadLetterTopic, openEventLog } from '@platform-events/event-log'
import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import {
  faultsMissing,
  freezeKafka,
  kafkaBrokers,
  kafkaMissing,
  thawKafka,
  uniqueTopic,
} from '../../../test/support/kafka.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { freePort } from '../../../test/support/process.ts'
import { sampleEvent, sampleRecord, testConsumer, untilConsumed } from '../../../test/support/sample-events.ts'
import { ScriptedLog } from '../../../test/support/scripted-log.ts'
import { makeTopic, readTopic } from '../../../test/support/topic-messages.ts'

const TOO_LONG = Array.from({ length: 1200 }, () => randomUUID()).join('')
const KILL_PUBLISHER = `
  select pg_terminate_backend(pid) from pg_stat_activity
  where application_name = 'platform-events dead letters' and datname = current_database()`
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

/** A consumer of a log in memory that publishes on the real topic, in letters of a line that is no event. */
async function consuming(topic: DeadLetterTopic) {
  const log = new ScriptedLog(1, randomUUID())
  const consumer = testConsumer(log, database.connectionString, { deadLetterTopic: topic })
  await consumer.start()
  return {
    end: () => consumer.end(),
    async die(line: string): Promise<void> {
      await log.append([sampleRecord([line])])
      await untilConsumed(log, database.pool)
    },
  }
}

/** What is on the topic: by the number of the letter, in Postgres's order. */
async function published(): Promise<(string | null)[][]> {
  const messages = await readTopic(settings.KAFKA_DLQ_TOPIC)
  const { rows } = await database.pool.query('select dead_letter_id as id from events_internal.dead_letters order by 1')
  const of = (id: string) => messages.filter(({ headers }) => headers['dead_letter_id'] === id)
  return rows.map(({ id }) => of(id).map(({ value }) => value?.toString() ?? null))
}

it('a letter is on the topic again, not lost, when its publisher is killed before it could say so', async () => {
  const topic = openDeadLetterTopic(settings, logger)!
  let kills = 1
  const consumer = await consuming({
    ...topic,
    async publish(letters) {
      await topic.publish(letters)
      if (kills-- > 0) await database.pool.query(KILL_PUBLISHER)
    },
  })
  await consumer.die('first')
  await untilPublished()
  await consumer.die('second')
  await untilPublished()
  await consumer.end()
  expect(await published()).toEqual([['first', 'first'], ['second']])
})

it('waits for a Kafka that is away at the start and stands still later, and holds up no load', async () => {
  const port = await freePort()
  const topic = openDeadLetterTopic({ ...settings, KAFKA_BROKERS: `127.0.0.1:${port}` }, logger)!
  const consumer = await consuming(topic)
  const [, brokerPort] = kafkaBrokers()[0]!.split(':')
  const door = createServer((client) => {
    const broker = connect(Number(brokerPort), '127.0.0.1')
    client.on('error', () => broker.destroy()).pipe(broker)
    broker.on('error', () => client.destroy()).pipe(client)
  })
  try {
    await consumer.die('while away')
    door.listen(port, '127.0.0.1')
    await untilPublished()
    if (faultsMissing() === null) {
      freezeKafka()
      await consumer.die('while it stands still')
      await consumer.die('and another')
      thawKafka()
      await untilPublished()
    }
    await consumer.end()
    const [first, ...later] = await published()
    expect(first).toEqual(['while away'])
    if (faultsMissing() === null) expect(later).toEqual([['while it stands still'], ['and another']])
  } finally {
    await consumer.end()
    door.close()
  }
})

it('a letter that the topic does not take for its size is there without its bytes, the others whole', async () => {
  await makeTopic(settings.KAFKA_DLQ_TOPIC, { 'max.message.bytes': '5000' })
  const consumer = await consuming(openDeadLetterTopic(settings, logger)!)
  await consumer.die(`small\n${'x'.repeat(10_000)}\nanother`)
  await untilPublished()
  await consumer.end()
  expect(await published()).toEqual([['small'], [null], ['another']])
  const messages = await readTopic(settings.KAFKA_DLQ_TOPIC)
  expect(messages.flatMap(({ headers }) => headers['value_omitted'] ?? [])).toEqual(['10000'])
})
