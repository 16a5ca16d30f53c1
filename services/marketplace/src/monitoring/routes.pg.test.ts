import { createHash } from 'node:crypto'
import { createMetrics } from '@platform-events/runtime'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMarketplaceDatabase, marketplaceApp } from '../../../../test/support/marketplace.ts'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.ts'
import { MONITORING } from './shapes.ts'

let database: TestDatabase
const headers = { authorization: 'Bearer op_monitoring' }
const addOperator = (to: TestDatabase) =>
  to.pool.query(`insert into events_internal.operator_tokens (token_hash, name) values ($1, 'test')`, [
    createHash('sha256').update('op_monitoring').digest(),
  ])

beforeAll(async () => {
  database = await createMarketplaceDatabase()
  await addOperator(database)
  await database.pool.query(`
    with people as (insert into auth.users default values returning id),
      talks as (insert into amara_conversations (user_id) select id from people returning id)
    insert into amara_messages (conversation_id, role, content)
    select id, 'user', content from talks, unnest(array['hola', 'gracias']) content`)
  await database.pool.query(`
    insert into marketplace_internal.chat_requests (user_id, idempotency_key, body_hash, state, failures)
    select u.id, n::text, '', case when n = 1 then 'failed' else 'answered' end, (n = 1)::int from auth.users u, generate_series(1, 4) n`)
  await database.pool.query(`select marketplace_internal.run_job('cleanup_chat_requests')`)
})
afterAll(() => database.drop())

it('answers operators alone, in the form that it promises', async () => {
  const app = await marketplaceApp(database)
  expect((await app.inject('/api/monitoring')).statusCode).toBe(401)
  expect((await app.inject({ url: '/api/monitoring?all=1', headers })).json().code).toBe('invalid_query')
  const answer = await app.inject({ url: '/api/monitoring', headers })
  expect(answer.statusCode).toBe(200)
  const figures = MONITORING.parse(answer.json())
  expect(figures).toEqual(answer.json()) // nothing that the form does not have
  expect(figures).toMatchObject({
    messages_per_conversation: { conversations: 1, messages: 2, average: 2 },
    conversation_length: { characters_average: 11 },
    chat_errors_per_hour: [{ requests: 4, failed: 1, error_rate: 25 }],
    unsent_events: 0,
  })
  expect(figures.jobs?.find(({ job }) => job === 'cleanup_chat_requests')).toMatchObject({ runs: 1, success_rate: 100 })
  expect(figures.row_security).toBeUndefined()
  await app.close()
})

it('times row level security when asked to', async () => {
  const app = await marketplaceApp(database)
  const figures = MONITORING.parse((await app.inject({ url: '/api/monitoring?row_security=true', headers })).json())
  expect(figures.row_security?.map(({ relation, rows_seen }) => [relation, rows_seen])).toEqual([
    ['public.amara_conversations', 0],
    ['public.amara_messages', 0],
    ['public.guest_sessions', 0],
    ['public.bookings', 0],
  ])
  expect(figures.row_security?.find(({ relation }) => relation === 'public.amara_messages')?.rows_as_owner).toBe(2)
  await app.close()
})

it('computes gauges at the scrape, and keeps them for half a minute', async () => {
  let now = Date.now()
  const app = await marketplaceApp(database, { metrics: createMetrics(), clock: () => now })
  const scrape = async () =>
    (await app.inject('/metrics')).body.split('\n').filter((line) => line.startsWith('marketplace_'))
  expect(await scrape()).toEqual(
    expect.arrayContaining([
      'marketplace_conversations_day_count 1',
      'marketplace_conversation_messages_average 2',
      'marketplace_chat_error_ratio 0.25',
      'marketplace_job_success_ratio{job="cleanup_chat_requests"} 1',
      'marketplace_unsent_events_count 0',
    ]),
  )
  const names = (await scrape()).map((line) => line.split(/[ {]/)[0])
  expect(names).not.toContain('marketplace_booking_attribution_ratio') // there is no booking
  await database.pool.query('insert into amara_conversations (user_id) select id from auth.users')
  expect(await scrape()).toContain('marketplace_conversations_day_count 1')
  now += 30_000
  expect(await scrape()).toContain('marketplace_conversations_day_count 2')
  await app.close()
})

it('says where the database was not migrated, and has no gauges then', async () => {
  const bare = await createTestDatabase()
  try {
    await addOperator(bare)
    const app = await marketplaceApp(bare)
    expect((await app.inject({ url: '/api/monitoring', headers })).statusCode).toBe(404)
    expect((await app.inject('/metrics')).body).not.toMatch(/^marketplace_(unsent|conversation|table)/m)
    await app.close()
  } finally {
    await bare.drop()
  }
})
