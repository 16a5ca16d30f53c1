import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.ts'
import { startTestQuery } from '../../../../test/support/query.ts'
import { readRawDays } from '../slices/raw-days.ts'
import type { Wanted } from '../slices/wanted.ts'

const DAY_MS = 86_400_000
const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS
const dayAt = (ago: number): string => new Date(midnight - ago * DAY_MS).toISOString().slice(0, 10)
const FUNNEL = { steps: ['A', 'B'], from: dayAt(3), to: dayAt(0) }

let database: TestDatabase
let app: FastifyInstance
let headers: { authorization: string }

beforeAll(async () => {
  database = await createTestDatabase()
  const started = await startTestQuery(database.pool)
  app = started.app
  headers = started.bearer
  await database.pool.query(
    `insert into public.platform_events (event_type, session_id, created_at) values ('A', 's', $1), ('B', 's', $1)`,
    [`${dayAt(2)}T10:00:00Z`],
  )
})
afterAll(async () => {
  await app.close()
  await database.drop()
})

const post = (path: string, payload: object) => app.inject({ method: 'POST', url: `/v1/${path}`, payload, headers })

it.each([
  { op: '=', value: 9007199254740992 },
  { op: 'in', value: [1, -9007199254740992] },
  { op: '<', value: 9007199254740992 },
])('refuses a number that JSON has rounded: %j', async (filter) => {
  const asked = { event_type: 'A', where: [{ property: 'n', ...filter }] }
  const response = await post('funnel', { ...FUNNEL, steps: [asked, 'B'] })
  expect([response.statusCode, response.json().message]).toEqual([400, expect.stringMatching(/ask in SQL$/)])
})

it.each([
  ['active-actors', { time_zone: 'America/Bogota' }, 'day'],
  ['retention', { unit: 'month', time_zone: 'America/Bogota' }, 'month'],
  ['counts', { bucket: 'hour', unique: true }, 'hour'],
  ['counts', { bucket: 'hour' }, 'hour'],
  ['funnel', { steps: ['A', 'B'], trend: { unit: 'week' } }, 'week'],
])('%s has no more buckets than SQL has: %j', async (path, question, bucket) => {
  const response = await post(path, { ...question, from: '0001-03-01', to: '9999-01-01' })
  expect([response.statusCode, response.json().message]).toEqual([
    400,
    `the range of time has more than 10000 ${bucket}s. Ask for longer buckets, or a shorter range.`,
  ])
})

it('counts nobody active on a day that begins among dropped events, as SQL does not', async () => {
  await database.pool.query(
    `insert into public.platform_events (event_type, session_id, created_at) values ('A', 'old', $1)`,
    [`${dayAt(7)}T20:00:00Z`],
  )
  await database.pool.query(`drop table events_internal.platform_events_${dayAt(7).replaceAll('-', '')}`)
  const range = { from: dayAt(6), to: dayAt(0) }
  expect((await post('active-actors', range)).statusCode).toBe(200)
  const cut = await post('active-actors', { ...range, time_zone: 'Asia/Tokyo' })
  expect(cut.json().message).toMatch(/^raw events are kept since /)
  const bySql = database.pool.query(`select * from public.active_actors($1, $2, null, 'Asia/Tokyo')`, [
    dayAt(6),
    dayAt(0),
  ])
  await expect(bySql).rejects.toThrow(/^raw events are kept since /)
})

it('does not mistake an actor with a number beyond those that walks tell apart for another', async () => {
  await database.pool.query(
    `insert into public.platform_events (event_type, session_id, created_at) values ('A', 'huge', now())`,
  )
  await database.pool.query(
    `insert into events_internal.actors (actor_key, actor_no) overriding system value
     select actor_key, 1073741824 from public.platform_events where session_id = 'huge'`,
  )
  const response = await post('funnel', { ...FUNNEL, from: dayAt(0), to: dayAt(-1) })
  expect([response.statusCode, response.json().code]).toEqual([500, 'internal'])
})

it('refuses a property with more values than memory is for, and the connection goes on', async () => {
  await database.pool.query(
    `insert into public.platform_events (event_type, session_id, properties)
     select 'Many', 's', jsonb_build_object('request', n) from generate_series(1, 3) n`,
  )
  const bounds = { fromMicros: midnight * 1000, toMicros: (midnight + DAY_MS) * 1000 }
  const source = { ranges: [[bounds.fromMicros, bounds.toMicros]] as const, lateDays: [], ...bounds }
  const wanted: Wanted = {
    ...bounds,
    unit: 'actor',
    eventTypes: ['Many'],
    columns: ['request'],
    sequence: false,
    nobody: false,
  }
  const client = await database.pool.connect()
  try {
    const read = (most: number) => readRawDays(client, wanted, source, most)
    await expect(read(2)).rejects.toThrow('request has more than 2 values in this range')
    expect((await read(3)).slices.map(({ rows }) => rows)).toEqual([3])
  } finally {
    client.release()
  }
})
