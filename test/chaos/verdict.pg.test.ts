import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { SentEvents } from './sent-events.ts'
import { reachVerdict } from './verdict.ts'

let database: TestDatabase
let sent: SentEvents
const session = randomUUID()
const stream = randomUUID()

beforeEach(async () => {
  database = await createTestDatabase()
  sent = new SentEvents()
})

afterEach(() => database.drop())

function send(seq: number): string {
  const id = randomUUID()
  sent.send({ id, event_type: 'SearchStarted', session_id: session, stream, seq, properties: { n: seq } })
  sent.acknowledge(id)
  return id
}

/** source_id 0: the trigger for direct rows keeps the rollup. */
async function store(id: string, seq: number, second: number, n = seq): Promise<void> {
  await database.pool.query(
    `insert into public.platform_events (id, event_type, session_id, stream, seq, properties, created_at)
     values ($1, 'SearchStarted', $2, $3, $4, jsonb_build_object('n', $5::int), date_trunc('hour', now()) + $6 * interval '1 second')`,
    [id, session, stream, seq, n, second],
  )
}

async function broken(): Promise<Record<string, string[]>> {
  const { checks } = await reachVerdict(database.pool, sent)
  return Object.fromEntries(checks.filter((check) => check.broken.length > 0).map(({ name, broken }) => [name, broken]))
}

test('all stored once and in order is good', async () => {
  for (const seq of [0, 1, 2]) await store(send(seq), seq, seq)
  expect(await broken()).toEqual({})
})

test('what was acknowledged and is nowhere is named', async () => {
  await store(send(0), 0, 0)
  const lost = send(1)
  expect(await broken()).toEqual({ 'acknowledged and nowhere': [lost] })
})

test('an id that is stored at two times is named', async () => {
  const id = send(0)
  await store(id, 0, 0)
  await store(id, 0, 1)
  expect(await broken()).toEqual({ 'stored twice': [id] })
})

test('what nobody sent, and what is not as it was sent, is named', async () => {
  const other = randomUUID()
  await store(other, 5, 5)
  const id = send(0)
  await store(id, 0, 0, 7)
  expect(await broken()).toEqual({ 'stored and never sent': [other], 'stored other than sent': [id] })
})

test('an order other than that of the tracker is named', async () => {
  const [first, second] = [send(0), send(1)]
  await store(first, 0, 1)
  await store(second, 1, 0)
  expect(await broken()).toEqual({ 'out of order in its session': [first] })
})

test('a rollup that is not the rows, a wrong session map and a dead letter that was good are named', async () => {
  const id = send(0)
  await store(id, 0, 0)
  await database.pool.query('update events_internal.event_rollup_hourly set n = n + 1')
  await database.pool.query(
    `insert into events_internal.session_users (session_id, session_key, user_id, user_key, first_created_at, first_id)
     values ($1, 1, gen_random_uuid(), 1, now(), $2)`,
    [session, id],
  )
  await database.pool.query(
    `insert into events_internal.dead_letters (log_id, topic, topic_partition, record_offset, line, event_id, reason, raw)
     values ('log', 'local', 0, 0, 0, $1, 'row', '')`,
    [id],
  )
  expect(Object.keys(await broken())).toEqual([
    'in another place than it belongs',
    'hours whose rollup is not the rows',
    'sessions mapped to a wrong user',
  ])
})
