import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.ts'
import { startTestQuery } from '../../../../test/support/query.ts'
import { buildSegments } from '../../../../test/support/segments.ts'
import { ANALYSES } from './analyses.ts'

const DAY_MS = 86_400_000
const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS
const dayAt = (ago: number): string => new Date(midnight - ago * DAY_MS).toISOString().slice(0, 10)
const closed = { from: dayAt(3), to: dayAt(0) }
const USER = '00000000-0000-4000-8000-000000000001'

let database: TestDatabase
let app: FastifyInstance
let headers: { authorization: string }

beforeAll(async () => {
  database = await createTestDatabase()
  const started = await startTestQuery(database.pool)
  app = started.app
  headers = started.bearer
  // Ten guests and a user, the last guests without B; one has a name that a spreadsheet would compute.
  await database.pool.query(
    `insert into public.platform_events (event_type, session_id, created_at, properties)
     select t, 's' || n, $1::date + n * interval '1 hour' + case t when 'B' then interval '90 seconds' else interval '0' end,
            jsonb_build_object('city', case when n = 1 then '=cmd()' else 'Cali' end)
       from generate_series(1, 10) n, unnest(case when n < 8 then array['A', 'B'] else array['A'] end) t`,
    [dayAt(2)],
  )
  await database.pool.query(
    `insert into public.platform_events (event_type, user_id, session_id, created_at)
     values ('A', $1, 'u', $2), ('B', $1, 'u', $3)`,
    [USER, `${dayAt(1)}T10:00:00.123456Z`, `${dayAt(1)}T10:00:00.123457Z`],
  )
  // All that have a partition and are over: who was active is looked for in the 29 days before, too.
  await buildSegments(database.pool, [7, 6, 5, 4, 3, 2, 1].map(dayAt))
})
afterAll(async () => {
  await app.close()
  await database.drop()
})

const FUNNEL = { steps: ['A', 'B'], ...closed }
/** A question for each analysis, its answer as far as it matters, and how many lines its CSV has. */
const QUESTIONS: Record<string, [question: object, answer: object, lines: number]> = {
  funnel: [FUNNEL, { steps: [{ actors: 11 }, { actors: 8, time_from_previous: { p50: 90 } }] }, 3],
  'funnel/actors': [
    { ...FUNNEL, step: 1, outcome: 'dropped' },
    { actors: [{ actor: 'session:s8', user_id: null, session_id: 's8', level: 1 }, {}, {}], next_cursor: null },
    4,
  ],
  'funnel/lift': [
    { ...FUNNEL, step: 1, property: 'city' },
    { values: [{ value: 'Cali', reached: 9, dropped: 3 }, { value: '=cmd()' }, { value: null }] },
    4,
  ],
  'funnel/explain': [{ ...FUNNEL, actor: USER }, { events: [{ chain_step: 1 }, { chain_step: 2 }] }, 4],
  counts: [
    { ...closed, breakdown: '$event_type', bucket: 'all', unique: true },
    {
      counts: [
        { event_type: 'A', events: 11, actors: 11 },
        { event_type: 'B', events: 8, actors: 8 },
      ],
    },
    3,
  ],
  paths: [
    { start: 'A', ...closed },
    {
      paths: [
        { path: ['A', 'B'], actors: 8, occurrences: 8 },
        { path: ['A'], actors: 3 },
      ],
    },
    3,
  ],
  retention: [
    { unit: 'day', periods: 2, from: dayAt(3), to: dayAt(1) },
    { cohorts: [{ size: 10, periods: [{ actors: 7, open: false }, { actors: 0 }] }] },
    3,
  ],
  'active-actors': [closed, { days: [{ daily: 0 }, { daily: 10, weekly: 10 }, { daily: 1, weekly: 11 }] }, 4],
  'time-between': [{ first: 'A', second: 'B', ...closed }, { actors: 8, p50: 90, mean: 78.75 }, 18],
  'top-values': [
    { event_type: 'A', property: 'city', ...closed },
    {
      values: [
        { value: 'Cali', events: 9, actors: 9 },
        { value: '=cmd()', events: 1 },
      ],
    },
    3,
  ],
  'event-properties': [{ event_type: 'B', ...closed }, { properties: [{ property: 'city', filled: 0.875 }] }, 2],
}

const post = (path: string, payload: object, more: object = {}) =>
  app.inject({ method: 'POST', url: `/v1/${path}`, payload, headers: { ...headers, ...more } })
const get = (path: string, question: object, more: object = {}) =>
  app.inject({ url: `/v1/${path}?q=${encodeURIComponent(JSON.stringify(question))}`, headers: { ...headers, ...more } })

it.each(ANALYSES.filter(({ path }) => path !== 'funnel/explain'))(
  '/v1/$path knows what a client has, while the days are closed',
  async ({ path }) => {
    const [question] = QUESTIONS[path]!
    const first = await get(path, question)
    const { etag } = first.headers
    expect(first.headers).toMatchObject({
      'cache-control': 'private, no-cache',
      vary: 'accept',
      etag: expect.any(String),
    })
    for (const again of [get, post]) {
      const response = await again(path, question, { 'if-none-match': etag })
      expect([response.statusCode, response.body, response.headers.etag]).toEqual([304, '', etag])
    }
    expect((await get(path, question, { 'if-none-match': '"other"' })).statusCode).toBe(200)
    expect((await get(path, question, { accept: 'text/csv' })).headers.etag).not.toBe(etag)
    const open = await get(path, { ...question, to: dayAt(-1) }, { 'if-none-match': etag })
    expect([open.statusCode, open.headers.etag, open.headers['cache-control']]).toEqual([200, undefined, 'no-store'])
  },
)

describe.each(ANALYSES)('/v1/$path', ({ path, answer, csv }) => {
  const [question, expected, lines] = QUESTIONS[path]!

  it('answers in the form that /openapi.json has', async () => {
    const response = await post(path, question)
    expect(response.statusCode, response.body).toBe(200)
    expect(response.json()).toMatchObject(expected)
    expect(answer.safeParse(response.json())).toMatchObject({ success: true })
    expect((await get(path, question)).json()).toEqual(response.json())
  })

  it('answers CSV', async () => {
    const response = await get(path, question, { accept: 'text/csv' })
    expect(response.headers['content-type']).toMatch(/^text\/csv/)
    const [head, ...rows] = response.body.split('\r\n')
    expect(head).toBe(csv.columns.join(','))
    expect(rows).toHaveLength(lines)
    expect(response.body).not.toMatch(/(^|,)=cmd/m)
  })

  it('refuses what it does not know', async () => {
    expect((await post(path, { ...question, nonsense: 1 })).json()).toMatchObject({
      code: 'invalid_query',
      message: expect.stringContaining('unknown fields: nonsense'),
    })
    const response = await app.inject({ url: `/v1/${path}?q={`, headers })
    expect([response.statusCode, response.json().code]).toEqual([400, 'invalid_json'])
  })
})

it('has no tag where more than the events of closed days makes the answer', async () => {
  const explained = { ...FUNNEL, actor: 'session:later' }
  const before = (await get('funnel/explain', explained)).headers.etag
  expect((await get('funnel/explain', explained)).json().events).toEqual([])
  await database.pool.query(
    `insert into public.platform_events (event_type, user_id, session_id, created_at) values ('D', $1, 'later', now())`,
    [USER],
  )
  const after = await get('funnel/explain', explained, before === undefined ? {} : { 'if-none-match': before })
  expect([after.statusCode, after.json().events.length]).toEqual([200, 2])

  const counted = { ...closed, bucket: 'all' }
  const wrong = await get('counts', counted)
  expect([wrong.headers.etag, wrong.headers['cache-control']]).toEqual([undefined, 'no-store'])
  for (const more of [{ where: [{ property: 'city', op: 'exists' }] }, { breakdown: 'city' }, { bucket: 'minute' }])
    expect((await get('counts', { ...counted, ...more })).headers.etag).toBeDefined()
})

it('has another tag and another answer after an event that came late', async () => {
  const tagged = Object.entries(QUESTIONS).filter(([path]) => path !== 'funnel/explain')
  const before = await Promise.all(tagged.map(([path, [question]]) => get(path, question)))
  const askAgain = () =>
    Promise.all(
      tagged.map(([path, [question]], at) => get(path, question, { 'if-none-match': before[at]!.headers.etag })),
    )
  await database.pool.query(
    `insert into public.platform_events (event_type, session_id, created_at)
     values ('A', 'x', $1), ('A', 'y', $1), ('B', 'y', $1::timestamptz + interval '1 second')`,
    [`${dayAt(2)}T23:00:00Z`],
  )
  const late = await askAgain()
  await buildSegments(database.pool, [dayAt(2)])
  const built = await askAgain()
  for (const [at, [path]] of tagged.entries()) {
    expect([late[at]!.statusCode, late[at]!.headers.etag], path).toEqual([200, undefined])
    expect(late[at]!.body, path).not.toBe(before[at]!.body)
    expect([built[at]!.statusCode, built[at]!.body], path).toEqual([200, late[at]!.body])
    expect(built[at]!.headers.etag, path).not.toBe(before[at]!.headers.etag)
  }
})

it('lists actors page by page, each once', async () => {
  const question = { ...FUNNEL, step: 1, outcome: 'converted', limit: 5 }
  const found: string[] = []
  let cursor: string | undefined
  do {
    const page = (await post('funnel/actors', { ...question, ...(cursor && { cursor }) })).json()
    found.push(...page.actors.map(({ actor }: { actor: string }) => actor))
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  expect(found).toHaveLength(13)
  expect(new Set(found)).toEqual(
    new Set([...Array.from({ length: 10 }, (_, n) => `session:s${n + 1}`), 'session:x', 'session:y', `user:${USER}`]),
  )
  expect((await post('funnel/actors', { ...question, cursor: 'nonsense' })).json().message).toMatch(/^cursor: wants/)
})

it('tells whose a session is', async () => {
  const bySession = { ...FUNNEL, unit: 'session', step: 2, outcome: 'converted' }
  const { actors } = (await post('funnel/actors', bySession)).json()
  expect(actors).toContainEqual(expect.objectContaining({ actor: 'session:u', user_id: USER, session_id: 'u' }))
  expect(actors).toContainEqual(expect.objectContaining({ actor: 'session:s1', user_id: null, session_id: 's1' }))
})
