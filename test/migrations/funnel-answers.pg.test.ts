import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { minute, START, storeJourneys, user } from './funnel-journeys.ts'

const DAY = 24 * 60
const FUNNEL = {
  steps: ['A', { event_type: 'X', optional: true }, 'B'],
  from: minute(-DAY),
  to: minute(7 * DAY),
  window: 'P1D',
}

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  await storeJourneys(
    database.pool,
    { session: 'phone', events: [['A', 0, { city: 'Cali' }]] },
    {
      user: user(1),
      session: 'phone',
      events: [
        ['X', 10, { city: 'Cali' }],
        ['B', 20, { city: 'Bogotá' }],
      ],
    },
    {
      session: 'guest',
      events: [
        ['A', 5, { city: 'Cali' }],
        ['B', 5, {}],
      ],
    },
    { user: user(2), events: [['A', DAY, { city: 'Bogotá' }]] },
    { session: 'other', events: [['A', 2 * DAY, {}]] },
    { session: 'no entry', events: [['B', 0]] },
  )
})
afterAll(() => database.drop())

const ask = async (call: string, ...values: unknown[]) =>
  (
    await database.pool.query(
      `select * from public.${call}`,
      values.map((value) => (typeof value === 'object' && value !== null ? JSON.stringify(value) : value)),
    )
  ).rows

describe('conversion_funnel', () => {
  const totals = async (breakdown: object | null) =>
    (
      await ask(
        'conversion_funnel($1, $2, $3, $4, p_breakdown => $5)',
        JSON.stringify(FUNNEL.steps),
        FUNNEL.from,
        FUNNEL.to,
        '1 day',
        breakdown,
      )
    ).map((row) => [row.breakdown, row.step, Number(row.actors), row.dropped === null ? null : Number(row.dropped)])

  it('has an optional step beside the required ones', async () => {
    expect(await totals(null)).toEqual([
      [null, 1, 4, 0],
      [null, 2, 1, null],
      [null, 3, 2, 2],
    ])
  })

  it.each<[object, [string | null, number[]][]]>([
    [
      { property: 'city', at: 'first' },
      [
        ['Cali', [2, 1, 2]],
        ['Bogotá', [1, 0, 0]],
        [null, [1, 0, 0]],
      ],
    ],
    [
      { property: 'city' },
      [
        ['Cali', [2, 1, 2]],
        ['Bogotá', [1, 0, 0]],
        [null, [1, 0, 0]],
      ],
    ],
    [
      { property: 'city', at: 'last' },
      [
        ['Bogotá', [2, 1, 1]],
        [null, [2, 0, 1]],
      ],
    ],
    [
      { property: 'city', at: 2 },
      [
        [null, [3, 0, 1]],
        ['Cali', [1, 1, 1]],
      ],
    ],
    [{ by: 'source' }, [['0', [4, 1, 2]]]],
    [
      { by: 'day' },
      [
        [minute(0).slice(0, 10), [2, 1, 2]],
        [minute(DAY).slice(0, 10), [1, 0, 0]],
        [minute(2 * DAY).slice(0, 10), [1, 0, 0]],
      ],
    ],
  ])('breaks down by %j, the largest group first', async (breakdown, groups) => {
    expect(await totals(breakdown)).toEqual(
      groups.flatMap(([value, [a, x, b]]) => [
        [value, 1, a, 0],
        [value, 2, x, null],
        [value, 3, b, a! - b!],
      ]),
    )
  })

  it.each([
    { property: 'city', at: 4 },
    { property: 'city', at: 0 },
    { property: 7 },
    { by: 'hour' },
    { by: 'day', at: 1 },
  ])('refuses to break down by %j', async (breakdown) => {
    await expect(totals(breakdown)).rejects.toMatchObject({
      code: '22023',
    })
  })
})

it('funnel_times: values that occurred, and how many took how long from the step before', async () => {
  const rows = await ask(`funnel_times($1)`, FUNNEL)
  expect(
    rows.map((row) => [
      row.step,
      row.actors,
      row.p50_from_previous?.minutes ?? row.p50_from_previous,
      row.p90_from_first?.minutes ?? null,
    ]),
  ).toEqual([
    [1, '4', null, null],
    [2, '1', 10, 10],
    [3, '2', expect.objectContaining({}), 20],
  ])
  const bins = rows[2].histogram.filter(({ actors }: { actors: number }) => actors > 0)
  expect(bins).toEqual([
    { from_seconds: 0, to_seconds: 10, actors: 1 },
    { from_seconds: 900, to_seconds: 1800, actors: 1 },
  ])
  expect(rows[2].histogram).toHaveLength(17)
  expect(rows[0].histogram).toBeNull()
})

it('funnel_trend: by day of entry, open while somebody who entered has time left', async () => {
  const rows = await ask('funnel_trend($1, $2, $3)', { ...FUNNEL, to: minute(3 * DAY) }, 'day', 'America/Bogota')
  const midnight = START.getTime() - 9 * 3_600_000 + 5 * 3_600_000
  expect(
    rows.map(({ bucket, step, actors, from_first, open }) => [
      bucket.getTime() - midnight,
      step,
      actors,
      from_first,
      open,
    ]),
  ).toEqual([
    [0, 1, '2', '1.000000', false],
    [0, 2, '1', '0.500000', false],
    [0, 3, '2', '1.000000', false],
    [DAY * 60_000, 1, '1', '1.000000', false],
    [DAY * 60_000, 2, '0', '0.000000', false],
    [DAY * 60_000, 3, '0', '0.000000', false],
    [2 * DAY * 60_000, 1, '1', '1.000000', true],
    [2 * DAY * 60_000, 2, '0', '0.000000', true],
    [2 * DAY * 60_000, 3, '0', '0.000000', true],
  ])
})

it('funnel_lift: where more are lost than elsewhere', async () => {
  const rows = await ask('funnel_lift($1, 1, $2)', FUNNEL, 'city')
  expect(
    rows.map(({ value, reached, dropped, drop_rate, lift }) => [value, reached, dropped, drop_rate, lift]),
  ).toEqual([
    ['Bogotá', '1', '1', '1.000000', '2.000000'],
    [null, '1', '1', '1.000000', '2.000000'],
    ['Cali', '2', '0', '0.000000', '0.000000'],
  ])
})

describe('funnel_actors', () => {
  it('lists who came to a step, and who came no further, page by page', async () => {
    expect(await ask('funnel_actors($1, 3, $2)', FUNNEL, 'converted')).toEqual([
      {
        actor: 'session:guest',
        user_id: null,
        session_id: 'guest',
        level: 2,
        entered_at: new Date(minute(5)),
        last_step_at: new Date(minute(5)),
      },
      {
        actor: `user:${user(1)}`,
        user_id: user(1),
        session_id: null,
        level: 2,
        entered_at: new Date(minute(0)),
        last_step_at: new Date(minute(20)),
      },
    ])
    const dropped = await ask('funnel_actors($1, 1, $2)', FUNNEL, 'dropped')
    expect(dropped.map(({ actor }) => actor)).toEqual(['session:other', `user:${user(2)}`])
    expect(await ask('funnel_actors($1, 1, $2, 1)', FUNNEL, 'dropped')).toEqual(dropped.slice(0, 1))
    expect(await ask('funnel_actors($1, 1, $2, 1, $3)', FUNNEL, 'dropped', 'session:other')).toEqual(dropped.slice(1))
  })

  it('names sessions and values of properties too', async () => {
    expect(await ask('funnel_actors($1, 1, $2)', { ...FUNNEL, unit: 'session' }, 'converted')).toMatchObject([
      { actor: 'session:guest', user_id: null, session_id: 'guest' },
      { actor: 'session:other', user_id: null, session_id: 'other' },
      { actor: 'session:phone', user_id: user(1), session_id: 'phone' },
    ])
    expect(await ask('funnel_actors($1, 1, $2)', { ...FUNNEL, unit: { property: 'city' } }, 'converted')).toMatchObject(
      [
        { actor: 'property:Bogotá', user_id: null, session_id: null, level: 1 },
        { actor: 'property:Cali', level: 1 },
      ],
    )
  })
})

it.each([
  [`funnel_trend($1, 'hour')`, /there is no bucket hour/],
  [`funnel_trend($1, 'day', 'Nowhere')`, /no such time zone: Nowhere/],
  [`funnel_lift($1, 3, 'city')`, /nobody can drop after step 3/],
  [`funnel_lift($1, 2, 'city')`, /nobody can drop after step 2/],
  [`funnel_actors($1, 4, 'converted')`, /there is no step 4/],
  [`funnel_actors($1, 3, 'dropped')`, /nobody can drop after the last step/],
  [`funnel_actors($1, 1, 'lost')`, /there is no outcome lost/],
  [`funnel_actors($1, 1, 'dropped', 0)`, /p_limit is 1 to 100000/],
])('%s is refused with a hint', async (call, message) => {
  await expect(ask(call, FUNNEL)).rejects.toMatchObject({
    code: '22023',
    message: expect.stringMatching(message),
    hint: expect.stringMatching(/./),
  })
})
