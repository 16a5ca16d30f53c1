import { createPool } from '@platform-events/postgres'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { startTestQuery } from '../../../test/support/query.ts'

let database: TestDatabase
let app: FastifyInstance
let headers: { authorization: string }
const nowMs = Date.now()

beforeAll(async () => {
  database = await createTestDatabase()
  const started = await startTestQuery(database.pool)
  app = started.app
  headers = started.bearer
  const minutesAgo = (n: number): Date => new Date(nowMs - n * 60_000)
  // Two people search; one goes on to view and to book. A third books without a search.
  const rows: [string, string, Date][] = [
    ['SearchStarted', 's1', minutesAgo(30)],
    ['ProfessionalViewed', 's1', minutesAgo(20)],
    ['BookingConfirmed', 's1', minutesAgo(10)],
    ['SearchStarted', 's2', minutesAgo(30)],
    ['BookingConfirmed', 's3', minutesAgo(30)],
    ['SearchStarted', 's4', new Date(nowMs + 4 * 60_000)], // by a clock that is 4 minutes fast
  ]
  for (const [type, session, at] of rows)
    await database.pool.query(
      'insert into public.platform_events (event_type, session_id, created_at) values ($1, $2, $3)',
      [type, session, at],
    )
})
afterAll(async () => {
  await app.close()
  await database.drop()
})

const get = (url: string) => app.inject({ url, headers })
const funnel = (payload: object) => app.inject({ method: 'POST', url: '/v1/funnel', headers, payload })

describe('GET /v1/counts', () => {
  it('counts the last 30 days, up to where a fast clock may be', async () => {
    const answer = await get('/v1/counts')
    expect(answer.statusCode).toBe(200)
    expect(answer.json().counts).toEqual([
      { event_type: 'SearchStarted', event_count: 3 },
      { event_type: 'BookingConfirmed', event_count: 2 },
      { event_type: 'ProfessionalViewed', event_count: 1 },
    ])
  })

  it('counts a period, both ends inclusive', async () => {
    const at = new Date(nowMs - 20 * 60_000).toISOString()
    const answer = await get(`/v1/counts?from=${at}&to=${at}`)
    expect(answer.json()).toEqual({ counts: [{ event_type: 'ProfessionalViewed', event_count: 1 }], from: at, to: at })
  })

  it.each([
    ['from=yesterday', /from: wants an ISO 8601 time/],
    ['from=2026-01-01T00:00:00', /from: wants an ISO 8601 time with an offset/],
    ['to=2026-13-01', /to: wants/],
    ['from=2026-02-02&to=2026-02-01', /from .* must not be later than to/],
    ['form=2026-02-02', /unknown fields: form/],
    ['from=2026-02-02&from=2026-02-03', /from: wants/],
  ])('refuses ?%s', async (query, message) => {
    const answer = await get(`/v1/counts?${query}`)
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ code: 'invalid_query', message: expect.stringMatching(message) })
  })
})

describe('POST /v1/funnel', () => {
  it.each(['application/json', 'text/plain', 'application/x-www-form-urlencoded'])('reads %s as JSON', async (type) => {
    const sent = {
      method: 'POST' as const,
      url: '/v1/funnel',
      payload: '{"steps":["SearchStarted","BookingConfirmed"]}',
    }
    expect((await app.inject({ ...sent, headers: { ...headers, 'content-type': type } })).statusCode).toBe(200)
    const noise = await app.inject({ ...sent, payload: 'steps=a', headers: { ...headers, 'content-type': type } })
    expect([noise.statusCode, noise.json().code]).toEqual([400, 'invalid_json'])
  })

  it('answers the ordered funnel', async () => {
    const answer = await funnel({ steps: ['SearchStarted', { event_type: 'ProfessionalViewed' }, 'BookingConfirmed'] })
    expect(answer.statusCode).toBe(200)
    const { steps, window } = answer.json()
    expect(window).toBe('P7D')
    expect(steps.map((step: { actors: number }) => step.actors)).toEqual([3, 1, 1])
    expect(steps[1]).toMatchObject({
      step: 2,
      event_type: 'ProfessionalViewed',
      actors: 1,
      dropped: 2,
      from_previous: 0.333333,
      from_first: 0.333333,
      time_from_previous: { p50: 600, p75: 600, p90: 600 },
    })
  })

  it('counts the window from the first step', async () => {
    const answer = await funnel({ steps: ['SearchStarted', 'BookingConfirmed'], window: 'PT19M' })
    expect(answer.json().steps.map((step: { actors: number }) => step.actors)).toEqual([3, 0])
  })

  it('leaves `to` out', async () => {
    const to = new Date(nowMs - 20 * 60_000).toISOString()
    const answer = await funnel({ steps: ['SearchStarted', 'ProfessionalViewed'], to })
    expect(answer.json().steps.map((step: { actors: number }) => step.actors)).toEqual([2, 0])
    expect(answer.json().to).toBe(to)
  })

  it.each([
    [{}, /steps/],
    [{ steps: [] }, /at least two steps/],
    [{ steps: ['a'] }, /at least two steps; \/v1\/counts counts one event/],
    [{ steps: Array(21).fill('a') }, /at most 20/],
    [{ steps: ['', 'a'] }, /steps.0: an event type has 1 to 128 characters/],
    [{ steps: [7, 'a'] }, /steps.0: a step is an event type, or/],
    [{ steps: ['a\0', 'a'] }, /steps.0/],
    [{ steps: ['a', { event_type: 'b', event_types: ['c'] }] }, /steps.1: wants either event_type or event_types/],
    [{ steps: ['a', { event_type: 'b', were: [] }] }, /steps.1 has unknown fields: were/],
    [
      { steps: ['a', { event_type: 'b', where: [{ property: 'x', op: '~', value: 1 }] }] },
      /where.0.op: an op is one of/,
    ],
    [{ steps: ['a', 'b'], window: '7 days' }, /window: wants an ISO 8601 duration/],
    [{ steps: ['a', 'b'], window: 'P0D' }, /window: must be longer than nothing/],
    [{ steps: ['a', 'b'], window: 'P10Y' }, /window: at most 366 days/],
    [{ steps: ['a', 'b'], mode: 'loose' }, /mode: wants "ordered"/],
    [{ steps: ['a', 'b'], unit: 'user' }, /unit: wants "actor"/],
    [{ steps: ['a', 'b'], breakdown: 'city' }, /breakdown: wants/],
    [{ steps: ['a', 'b'], breakdown: { property: 'city', at: 3 } }, /breakdown.at: this funnel has 2 steps/],
    [{ steps: ['a', 'b'], trend: { unit: 'day', time_zone: '+05' } }, /trend.time_zone: wants the name/],
    [{ steps: ['a', 'b'], exclude: [{ event_type: 'c', after: 2, before: 2 }] }, /exclude: wants/],
    [{ steps: ['a', 'b'], exclude: [{ event_type: 'c' }], mode: 'strict' }, /want mode "ordered"/],
    [{ steps: [{ event_type: 'a', optional: true }, 'b'] }, /cannot be optional/],
    [{ steps: ['a', 'b'], widow: 'P7D' }, /unknown fields: widow/],
    [{ steps: ['a', 'b'], from: '0000-01-01' }, /from: no time of the years 1 to 9999/],
    [{ steps: ['SerchStarted', 'b'] }, /no event of type SerchStarted has ever come; did you mean SearchStarted\?/],
  ])('refuses %j', async (body, message) => {
    const answer = await funnel(body)
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ code: 'invalid_query', message: expect.stringMatching(message) })
  })
})

describe('a database in trouble', () => {
  it('is a 503 with Retry-After that names nothing', async () => {
    const pool = createPool({ connectionString: 'postgres://u:secret@127.0.0.1:1/nowhere', applicationName: 'test' })
    const { app: other } = await startTestQuery(database.pool, { pool, verifyJwt: async () => SERVICE })
    const answer = await other.inject({ url: '/v1/counts', headers: { authorization: 'Bearer any' } })
    expect(answer.statusCode).toBe(503)
    expect(answer.json().code).toBe('database_unavailable')
    expect(answer.body).not.toMatch(/127|secret|ECONN/)
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    await other.close()
    await pool.end()
  })
})

const SERVICE = { userId: undefined, role: 'service_role' }
