import type { FunnelAnswer, StepAnswer } from '@platform-events/analytics'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.ts'
import { startTestQuery } from '../../../../test/support/query.ts'
import { buildSegments } from '../../../../test/support/segments.ts'

const DAY_MS = 86_400_000
const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS
const dayAt = (ago: number): string => new Date(midnight - ago * DAY_MS).toISOString().slice(0, 10)
/** Five closed days; today is open. */
const CLOSED = [5, 4, 3, 2, 1].map(dayAt)
const range = { from: `${dayAt(5)}T03:00:00Z`, to: new Date(midnight + DAY_MS / 2).toISOString() }

const FUNNELS: Record<string, object> = {
  plain: { steps: ['A', 'B', 'C'] },
  'a type twice': { steps: ['A', 'B', 'A'], window: 'PT2H' },
  strict: { steps: ['A', 'B'], mode: 'strict' },
  'strict order': { steps: ['A', 'B', 'C'], mode: 'strict_order' },
  unordered: { steps: ['A', 'B', 'C'], mode: 'unordered', window: 'PT6H' },
  filtered: {
    steps: [
      { event_type: 'A', where: [{ property: 'city', op: 'in', value: ['Cali', 'Bogotá'] }] },
      { event_types: ['B', 'C'], where: [{ property: 'price', op: '>=', value: 3 }], name: 'dear' },
    ],
  },
  'optional and excluded': {
    steps: ['A', { event_type: 'B', optional: true }, 'C'],
    exclude: [{ event_type: 'D', where: [{ property: 'city', op: 'exists' }] }],
  },
  'by session': { steps: ['A', 'B'], unit: 'session' },
  'by property': { steps: ['A', 'B'], unit: { property: 'order' } },
  'by city': { steps: ['A', 'B', 'C'], breakdown: { property: 'city', at: 'last' } },
  'by city, unordered': { steps: ['A', 'B'], mode: 'unordered', breakdown: { property: 'city', at: 2 } },
  'by day': { steps: ['A', 'B'], breakdown: { by: 'day' } },
  'by a property that is called $source': { steps: ['A', 'B'], breakdown: { property: '$source', at: 'first' } },
  'filtered by a property that is called $source': {
    steps: [{ event_type: 'A', where: [{ property: '$source', op: '=', value: 'radio' }] }, 'B'],
  },
  'by source': { steps: ['A', 'B'], breakdown: { by: 'source' } },
}

let database: TestDatabase
let app: FastifyInstance
let headers: { authorization: string }

beforeAll(async () => {
  database = await createTestDatabase()
  const started = await startTestQuery(database.pool)
  app = started.app
  headers = started.bearer
  await database.pool.query(RANDOM_EVENTS, [dayAt(5), new Date().toISOString()])
  await database.pool.query(
    `insert into public.platform_events (id, event_type, session_id, created_at)
     values ('ffffffff-0000-4000-8000-000000000000', 'A', 'tie', $1), (gen_random_uuid(), 'B', 'tie', $1::timestamptz + interval '1 second')`,
    [`${dayAt(3)}T12:30:00Z`],
  )
})
afterAll(async () => {
  await app.close()
  await database.drop()
})

/** People on one or two sessions, some of whom log in half-way; ties in time; properties of several types. */
const RANDOM_EVENTS = `
insert into public.platform_events (event_type, user_id, session_id, created_at, properties)
select substr('ABCD', 1 + (random() * 3.99)::int % 4, 1),
       case when n % 3 > 0 and random() < 0.4 then ('00000000-0000-4000-8000-' || lpad((n % 60)::text, 12, '0'))::uuid end,
       case when random() < 0.95 then 's' || n % 60 || case when random() < 0.3 then 'b' else '' end end,
       least($2::timestamptz, $1::timestamptz + (random() * 5.4 * 1440)::int * interval '1 minute'),
       jsonb_strip_nulls(jsonb_build_object(
         'city', (array['Cali', 'Bogotá', 'Pasto', null])[1 + (random() * 3.99)::int % 4],
         'price', case when random() < 0.2 then to_jsonb('dear'::text) else to_jsonb(round((random() * 6)::numeric, 1)) end,
         '$source', case when random() < 0.5 then 'radio' end,
         'order', case when random() < 0.5 then 'o' || n % 40 end))
from generate_series(1, 1500) n`

async function byApi(question: object): Promise<FunnelAnswer> {
  const payload = { limit: 1000, ...question, ...range }
  const answer = await app.inject({ method: 'POST', url: '/v1/funnel', headers, payload })
  expect(answer.statusCode, answer.body).toBe(200)
  return answer.json()
}

type Row = Partial<StepAnswer> & { breakdown: string | null }

async function bySql(question: Record<string, unknown>): Promise<Row[]> {
  const { steps, window = 'P7D', mode = 'ordered', unit = 'actor', exclude = [], breakdown = null } = question
  const { rows } = await database.pool.query(
    `select * from public.conversion_funnel($1::jsonb, $2, $3, $4::interval, $5, $6::jsonb, $7::jsonb, $8::jsonb)`,
    [
      ...[JSON.stringify(steps), range.from, range.to, window, mode, JSON.stringify(unit)],
      ...[JSON.stringify(exclude), breakdown === null ? null : JSON.stringify(breakdown)],
    ],
  )
  return rows.map((row) => {
    const { breakdown: value, name, ...numbers } = row
    return { breakdown: value, name, ...mapValues(numbers, (number) => (number === null ? null : Number(number))) }
  })
}

function mapValues(row: Record<string, string | null>, change: (value: string | null) => unknown): object {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, change(value)]))
}

const FIELDS = [
  'step',
  'name',
  'actors',
  'dropped',
  'from_previous',
  'from_previous_low',
  'from_previous_high',
] as const
const MORE_FIELDS = ['from_first', 'from_first_low', 'from_first_high'] as const

function rowsOf({ steps, breakdown }: FunnelAnswer): Row[] {
  const groups = breakdown ?? [{ value: null, steps }]
  return groups.flatMap((group) =>
    group.steps.map((step) => ({
      breakdown: group.value,
      ...Object.fromEntries([...FIELDS, ...MORE_FIELDS].map((field) => [field, step[field]])),
    })),
  )
}

const sorted = (rows: Row[]): string[] => rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort()

async function expectEqual(question: object): Promise<void> {
  const [answer, rows] = [await byApi(question), await bySql(question as Record<string, unknown>)]
  expect(rows.length).toBeGreaterThan(0)
  expect(sorted(rowsOf(answer))).toEqual(sorted(rows))
}

const segments = async (): Promise<number> =>
  Number((await database.pool.query('select count(*) from events_internal.usable_segments')).rows[0].count)

describe('the answer by HTTP is that of the SQL function', () => {
  it.each(Object.entries(FUNNELS))('from raw events: %s', async (_name, question) => {
    expect(await segments()).toBe(0)
    await expectEqual(question)
  })

  it('from segments, which are read once and then cached', async () => {
    await buildSegments(database.pool, CLOSED)
    expect(await segments()).toBe(CLOSED.length)
    for (const question of [...Object.values(FUNNELS), FUNNELS['plain']!, FUNNELS['by city']!])
      await expectEqual(question)
  })

  it('after an event that came late, also one of the same microsecond as another', async () => {
    const before = (await byApi({ steps: ['A', 'B'] })).steps[0]!.actors
    await database.pool.query(
      `insert into public.platform_events (event_type, session_id, created_at) values ('A', 'late', $1), ('B', 'late', $1)`,
      [`${dayAt(3)}T12:00:00Z`],
    )
    expect((await byApi({ steps: ['A', 'B'] })).steps[0]!.actors).toBe(before + 1)
    // By its id it comes before the A of the same microsecond, and so not between A and B.
    await database.pool.query(
      `insert into public.platform_events (id, event_type, session_id, created_at)
       values ('00000000-0000-4000-8000-000000000000', 'C', 'tie', $1)`,
      [`${dayAt(3)}T12:30:00Z`],
    )
    await database.pool.query(
      `insert into public.platform_events (event_type, user_id, session_id, created_at, properties)
       select 'C', user_id, session_id, created_at, '{"city": "Leticia"}' from public.platform_events
        where created_at >= $1::date and created_at < $1::date + 1 limit 20`,
      [dayAt(2)],
    )
    expect(await segments()).toBe(CLOSED.length)
    for (const question of Object.values(FUNNELS)) await expectEqual(question)
  })

  it('after a guest’s session has become a user’s', async () => {
    await database.pool.query(
      `insert into public.platform_events (event_type, user_id, session_id, created_at)
       values ('D', '00000000-0000-4000-8000-000000000999', 's3', $1)`,
      [`${dayAt(1)}T12:00:00Z`],
    )
    expect(await segments()).toBeLessThan(CLOSED.length)
    for (const question of Object.values(FUNNELS)) await expectEqual(question)
  })

  it('after the days were built again, and after one was deleted from', async () => {
    await buildSegments(database.pool, CLOSED)
    for (const question of Object.values(FUNNELS)) await expectEqual(question)
    await database.pool.query(`delete from public.platform_events where created_at >= $1 and created_at < $2`, [
      `${dayAt(4)}T06:00:00Z`,
      `${dayAt(4)}T18:00:00Z`,
    ])
    for (const question of Object.values(FUNNELS)) await expectEqual(question)
  })
})
