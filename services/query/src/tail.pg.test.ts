import { createPool, type Pool, type PoolClient } from '@platform-events/postgres'
import type { FastifyInstance } from 'fastify'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { startTestQuery } from '../../../test/support/query.ts'

let database: TestDatabase
let pool: Pool
let app: FastifyInstance
let base: string
let headers: { authorization: string }
const readers: AbortController[] = []

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

beforeEach(async () => {
  await database.pool.query('truncate public.platform_events')
  pool = createPool({ connectionString: database.connectionString, applicationName: 'tail under test', max: 3 })
  const started = await startTestQuery(pool)
  app = started.app
  headers = started.bearer
  base = await app.listen({ host: '127.0.0.1', port: 0 })
})
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.abort()
  await app.close()
  await pool.end()
})

it('sends the last events, then each new one once, to every reader', async () => {
  await insert('Old', 3)
  const first = await tail('?limit=2')
  const second = await tail('?limit=0')
  await vi.waitFor(() => expect(types(first)).toEqual(['Old', 'Old']))
  for (let i = 0; i < 5; i++) {
    await insert(`New${i}`)
    await vi.waitFor(() => expect(types(second)).toHaveLength(i + 1), 5000)
  }
  expect(types(first)).toEqual(['Old', 'Old', 'New0', 'New1', 'New2', 'New3', 'New4'])
  expect(types(second)).toEqual(['New0', 'New1', 'New2', 'New3', 'New4'])
  const event = second.events[0]!
  expect(event.id).toBe(event.data['id'])
  expect(Object.keys(event.data).sort()).toEqual(
    ['created_at', 'event_type', 'id', 'properties', 'received_at', 'session_id', 'source_id', 'user_id'].sort(),
  )
  expect(event.data['created_at']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/)
})

it('shows an event of a slow clock, and one whose commit came late', async () => {
  const reader = await tail('?limit=0')
  await insert('Primed')
  await vi.waitFor(() => expect(types(reader)).toContain('Primed'), 5000)
  const late = await database.pool.connect()
  await late.query('begin')
  await late.query(`insert into public.platform_events (event_type) values ('Late')`)
  await insert('Between')
  await vi.waitFor(() => expect(types(reader)).toContain('Between'), 5000)
  await late.query('commit')
  late.release()
  await database.pool.query(
    `insert into public.platform_events (event_type, created_at) values ('Slow', now() - interval '4 minutes')`,
  )
  await vi.waitFor(() => expect(types(reader)).toEqual(expect.arrayContaining(['Late', 'Slow'])), 5000)
})

it('filters by type, and goes on after the last event that a reader had', async () => {
  await insert('A')
  await insert('B')
  await insert('A')
  const reader = await tail('?event_type=A')
  await vi.waitFor(() => expect(types(reader)).toEqual(['A', 'A']), 5000)
  const again = await tail('', { 'last-event-id': reader.events[0]!.id! })
  await insert('C')
  await vi.waitFor(() => expect(types(again)).toEqual(['B', 'A', 'C']), 5000)
  expect(types(reader)).toEqual(['A', 'A'])
})

it('asks Postgres nothing while nobody listens', async () => {
  const reader = await tail('?limit=0')
  await insert('A')
  await vi.waitFor(() => expect(types(reader)).toEqual(['A']), 5000)
  const query = vi.spyOn(pool, 'connect')
  readers[0]!.abort()
  await vi.waitFor(() => {
    query.mockClear()
    return new Promise<void>((resolve, reject) => {
      setTimeout(() => (query.mock.calls.length === 0 ? resolve() : reject(new Error('still polling'))), 700)
    })
  }, 5000)
})

it('keeps its readers while Postgres is away, and says so', async () => {
  const reader = await tail('?limit=0')
  await insert('Before')
  await vi.waitFor(() => expect(types(reader)).toEqual(['Before']), 5000)
  const connect = vi.spyOn(pool, 'connect').mockImplementation(() => Promise.reject(new Error('ECONNREFUSED')))
  await vi.waitFor(() => expect(reader.problems[0]).toMatchObject({ code: 'database_unavailable' }), 5000)
  connect.mockRestore()
  await insert('After')
  await vi.waitFor(() => expect(types(reader)).toEqual(['Before', 'After']), 5000)
  expect(reader.problems).toHaveLength(1)
})

it('does not hold up the shutdown', async () => {
  const reader = await tail('')
  const startedAt = Date.now()
  await app.close()
  expect(Date.now() - startedAt).toBeLessThan(3000)
  await vi.waitFor(() => expect(reader.ended).toBe(true))
})

it('takes no more readers than its bound, and another when one has left', async () => {
  const bounded = (await startTestQuery(pool, { maxTailSubscribers: 2 })).app
  const url = `${await bounded.listen({ host: '127.0.0.1', port: 0 })}/v1/events/tail`
  const follow = (signal?: AbortSignal) => fetch(url, { headers, ...(signal && { signal }) })
  const leave = new AbortController()
  expect([(await follow(leave.signal)).status, (await follow()).status]).toEqual([200, 200])
  const refused = await follow()
  expect({ status: refused.status, retry: refused.headers.get('retry-after') }).toEqual({ status: 429, retry: '10' })
  expect(await refused.json()).toMatchObject({ code: 'rate_limited' })
  leave.abort()
  await vi.waitFor(async () => expect((await follow()).status).toBe(200), 5000)
  await bounded.close()
})

it('holds the newest 500 for a reader whose backlog does not come, and tells it that others are not shown', async () => {
  const live = await tail('?limit=0')
  await insert('First')
  await vi.waitFor(() => expect(types(live)).toEqual(['First']), 5000)
  const backlogAnswers = failQueriesThatSay('event_type = $4')
  const late = await tail('?event_type=Many')
  await vi.waitFor(() => expect(late.problems).not.toEqual([]), 5000)
  for (const shown of [301, 601]) {
    await database.pool.query(
      `insert into public.platform_events (event_type) select 'Many' from generate_series(1, 300)`,
    )
    await vi.waitFor(() => expect(live.events).toHaveLength(shown), 5000)
  }
  backlogAnswers()
  await vi.waitFor(() => expect(late.events).toHaveLength(500), 5000)
  expect(late.problems).toContainEqual(expect.objectContaining({ code: 'sampled' }))
})

it('shows no properties of more than 64 KB, which only SQL can insert', async () => {
  const reader = await tail('?limit=0')
  await insert('Small')
  await vi.waitFor(() => expect(types(reader)).toEqual(['Small']), 5000)
  for (const characters of [65_000, 66_000])
    await database.pool.query(
      `insert into public.platform_events (event_type, properties) values ('Large', jsonb_build_object('text', repeat('x', $1)))`,
      [characters],
    )
  await vi.waitFor(() => expect(reader.events).toHaveLength(3), 5000)
  const [, whole, left] = reader.events.map(({ data }) => data['properties'])
  expect(whole).toEqual({ text: 'x'.repeat(65_000) })
  expect(left).toEqual({ too_large_to_show: 66_012 })
})

it.each(['?limit=-1', '?limit=many', '?limit=201', '?event_type=', '?event_type=A%00', '?type=A'])(
  'refuses %s',
  async (query) => {
    const answer = await fetch(`${base}/v1/events/tail${query}`, { headers })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ code: 'invalid_query' })
  },
)

interface Reader {
  events: { id: string | undefined; data: Record<string, unknown> }[]
  problems: unknown[]
  ended: boolean
}

async function tail(query: string, more: Record<string, string> = {}): Promise<Reader> {
  const abort = new AbortController()
  readers.push(abort)
  const answer = await fetch(`${base}/v1/events/tail${query}`, {
    headers: { ...headers, ...more },
    signal: abort.signal,
  })
  expect(answer.headers.get('content-type')).toContain('text/event-stream')
  const reader: Reader = { events: [], problems: [], ended: false }
  void read(answer, reader).catch(() => undefined)
  return reader
}

async function read(answer: Response, reader: Reader): Promise<void> {
  let text = ''
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    const messages = (text + chunk).split('\n\n')
    text = messages.pop()!
    for (const message of messages) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(message)?.[1]
      const data = JSON.parse(field('data') ?? 'null')
      if (field('event') === 'event') reader.events.push({ id: field('id'), data })
      if (field('event') === 'problem') reader.problems.push(data)
    }
  }
  reader.ended = true
}

/** @returns lets them go well again */
function failQueriesThatSay(words: string): () => void {
  let failing = true
  const connect = pool.connect.bind(pool) as () => Promise<PoolClient>
  vi.spyOn(pool, 'connect').mockImplementation(async () => {
    const client = await connect()
    const query = client.query.bind(client) as (...call: unknown[]) => Promise<unknown>
    const asked = (...call: unknown[]) =>
      failing && String(call[0]).includes(words) ? Promise.reject(new Error('told to fail')) : query(...call)
    client.query = asked as typeof client.query
    return client
  })
  return () => {
    failing = false
  }
}

const types = (reader: Reader) => reader.events.map((event) => event.data['event_type'])

async function insert(type: string, times = 1): Promise<void> {
  for (let i = 0; i < times; i++)
    await database.pool.query('insert into public.platform_events (event_type) values ($1)', [type])
}
