import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { emptyTables } from '../support/empty-tables.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { type Journey, minute, START, storeJourneys, user } from './funnel-journeys.ts'

const DAY = 24 * 60
const MICROSECOND = 1 / 60e6

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
afterEach(async () => {
  await emptyTables(database.pool, 'public.platform_events', 'events_internal.session_users')
})
afterAll(() => database.drop())

/** For each unit its level, the minutes since the start of each step's event, and the numbers of these events as they were stored. */
const chains = async (funnel: object, ...journeys: Journey[]) => {
  await storeJourneys(database.pool, ...journeys, { events: ['A', 'B', 'C', 'D', 'X'].map((type) => [type, 0]) })
  const { rows } = await database.pool.query<{ level: number; minutes: (number | null)[]; ids: (string | null)[] }>(
    `select level, array(select extract(epoch from t - $2::timestamptz)::float8 / 60 from unnest(step_times) with ordinality u (t, n) order by n) as minutes,
       array(select right(id::text, 2)::int from unnest(step_ids) with ordinality u (id, n) order by n) as ids
     from events_internal.funnel_chains($1) order by step_times`,
    [
      JSON.stringify({ steps: ['A', 'B', 'C'], from: minute(-DAY), to: minute(7 * DAY), window: 'P1D', ...funnel }),
      START,
    ],
  )
  return rows
}
const one = (...events: Journey['events']): Journey => ({ session: 'guest', events })

describe('the chosen chain', () => {
  it('starts as late as it can, and ends as early', async () => {
    expect(
      await chains({}, one(['A', 0], ['A', 10], ['B', 20], ['B', 30], ['C', 40], ['A', 45], ['B', 46], ['C', 47])),
    ).toMatchObject([{ level: 3, minutes: [10, 20, 40] }])
  })

  it('is not lost because the first start is too early', async () => {
    expect(await chains({}, one(['A', 0], ['A', DAY], ['B', DAY + 1], ['C', 2 * DAY]))).toMatchObject([
      { level: 3, minutes: [DAY, DAY + 1, 2 * DAY] },
    ])
  })

  it('closes its window at the microsecond', async () => {
    expect(await chains({ steps: ['A', 'B'] }, one(['A', 0], ['B', DAY]))).toMatchObject([{ level: 2 }])
    await emptyTables(database.pool, 'public.platform_events')
    expect(await chains({ steps: ['A', 'B'] }, one(['A', 0], ['B', DAY + MICROSECOND]))).toMatchObject([{ level: 1 }])
  })

  it('takes events of one microsecond in whichever order serves', async () => {
    expect(await chains({}, one(['C', 5], ['B', 5], ['A', 5]))).toMatchObject([{ level: 3, ids: [3, 2, 1] }])
  })

  it('lets one event serve one step, and of two in one microsecond the right one each', async () => {
    expect(await chains({ steps: ['A', 'A', 'B'] }, one(['A', 0], ['B', 1]))).toMatchObject([{ level: 1 }])
    await emptyTables(database.pool, 'public.platform_events')
    // The first of the two fits both steps, the second one only: so it must take step 2.
    expect(
      await chains({ steps: [{ event_types: ['A', 'B'] }, 'B'] }, one(['B', 1], ['A', 1], ['X', 2]), {
        session: 'other',
        events: [
          ['A', 1],
          ['B', 1],
        ],
      }),
    ).toMatchObject([
      { level: 2, ids: [2, 1] },
      { level: 2, ids: [4, 5] },
    ])
  })

  it('takes the same type for two steps, with filters too', async () => {
    expect(
      await chains(
        { steps: ['A', { event_type: 'A', where: [{ property: 'plan', op: '=', value: 'pro' }] }] },
        one(['A', 0, { plan: 'pro' }], ['A', 1, { plan: 'free' }], ['A', 2, { plan: 'pro' }]),
      ),
    ).toMatchObject([{ level: 2, minutes: [1, 2] }])
  })

  it('goes through a login, in all sessions of the user, and not through another user', async () => {
    expect(
      await chains(
        {},
        { session: 'phone', events: [['A', 0]] },
        { user: user(1), session: 'phone', events: [['B', 1]] },
        { user: user(1), session: 'desk', events: [['C', 2]] },
        { user: user(2), session: 'desk', events: [['A', 3]] },
      ),
    ).toMatchObject([
      { level: 3, minutes: [0, 1, 2] },
      { level: 1, minutes: [3, null, null] },
    ])
  })

  it('is of a session or of the value of a property where one asks so', async () => {
    const journeys: Journey[] = [
      {
        user: user(1),
        session: 'phone',
        events: [
          ['A', 0, { order: 1 }],
          ['B', 1, { order: 2 }],
        ],
      },
      {
        user: user(1),
        session: 'desk',
        events: [
          ['C', 2, { order: '2' }],
          ['B', 3, { order: 1 }],
          ['B', 4],
        ],
      },
    ]
    expect(await chains({ unit: 'session' }, ...journeys)).toMatchObject([{ level: 2, minutes: [0, 1, null] }])
    await emptyTables(database.pool, 'public.platform_events')
    expect(await chains({ unit: { property: 'order' } }, ...journeys)).toMatchObject([
      { level: 2, minutes: [0, 3, null] },
    ])
  })

  it('has a day of 24 hours in the nights when clocks change', async () => {
    // Berlin, 2026-03-29: 02:00 becomes 03:00. Half past one to half past one is 23 hours on the clock's day before.
    await database.pool.query(
      `select events_internal.create_day(day) from unnest(array['2026-03-28', '2026-03-29']::date[]) day`,
    )
    await database.pool.query(
      `insert into public.platform_events (event_type, session_id, created_at) values
       ('A', 's', '2026-03-28T12:00+01:00'), ('B', 's', '2026-03-29T13:00+02:00'), ('C', 's', '2026-03-29T13:00:00.000001+02:00')`,
    )
    const client = await database.pool.connect()
    try {
      await client.query(`set timezone = 'Europe/Berlin'`)
      const { rows } = await client.query(`select level from events_internal.funnel_chains($1)`, [
        JSON.stringify({ steps: ['A', 'B', 'C'], from: '2026-03-28', to: '2026-03-30', window: 'P1D' }),
      ])
      expect(rows).toEqual([{ level: 2 }])
    } finally {
      client.release(true)
    }
  })
})

describe('the modes', () => {
  // What stands between A and B: nothing, a foreign event, an event of another step.
  const journeys: Journey[] = [
    {
      session: 'a',
      events: [
        ['A', 0],
        ['B', 1],
        ['C', 2],
      ],
    },
    {
      session: 'b',
      events: [
        ['A', 10],
        ['X', 11],
        ['B', 12],
        ['C', 13],
      ],
    },
    {
      session: 'c',
      events: [
        ['A', 20],
        ['C', 21],
        ['B', 22],
        ['C', 23],
      ],
    },
    {
      session: 'd',
      events: [
        ['A', 30],
        ['A', 31],
        ['B', 32],
        ['B', 33],
        ['C', 34],
      ],
    },
    {
      session: 'e',
      events: [
        ['C', 40],
        ['B', 41],
        ['A', 42],
      ],
    },
    {
      session: 'f',
      events: [
        ['A', 50],
        ['C', 51],
        ['A', 52],
        ['B', 53],
        ['C', 54],
      ],
    },
  ]
  it.each([
    ['ordered', [3, 3, 3, 3, 1, 3]],
    ['strict', [3, 1, 1, 2, 1, 3]],
    ['strict_order', [3, 3, 1, 3, 1, 3]],
    ['unordered', [3, 3, 3, 3, 3, 3]],
  ])('%s', async (mode, levels) => {
    expect((await chains({ mode }, ...journeys)).map(({ level }) => level)).toEqual(levels)
  })

  it('unordered: whichever steps within the window of the earliest, the k-th row at step k', async () => {
    expect(
      await chains({ mode: 'unordered', window: 'PT10M' }, one(['C', 0], ['A', 11], ['B', 12], ['B', 20], ['C', 21]), {
        session: 'other',
        events: [
          ['B', 100],
          ['C', 200],
        ],
      }),
    ).toMatchObject([
      { level: 3, minutes: [11, 12, 21] },
      { level: 1, minutes: [100, null, null] },
    ])
  })

  it('unordered: an event that fits two steps goes where it is wanted', async () => {
    expect(
      await chains(
        { mode: 'unordered', steps: ['A', { event_types: ['A', 'B'] }, 'B'] },
        one(['B', 0], ['A', 1], ['A', 2]),
      ),
    ).toMatchObject([{ level: 3, minutes: [0, 1, 2] }])
  })
})

describe('exclusions', () => {
  const exclude = [{ event_type: 'X', after: 1, before: 2 }]
  it.each<[string, Journey['events'], object]>([
    [
      'end a chain that it stands in',
      [
        ['A', 0],
        ['X', 1],
        ['B', 2],
      ],
      { level: 1 },
    ],
    [
      'leave one that begins after',
      [
        ['A', 0],
        ['X', 1],
        ['A', 2],
        ['B', 3],
      ],
      { level: 2, minutes: [2, 3, null] },
    ],
    [
      'leave one that is over',
      [
        ['A', 0],
        ['B', 1],
        ['X', 2],
        ['C', 3],
      ],
      { level: 3 },
    ],
    [
      'count between strictly: at the instant of either step',
      [
        ['A', 0],
        ['X', 0],
        ['B', 1],
        ['X', 1],
        ['C', 2],
      ],
      { level: 3 },
    ],
    [
      'count to the microsecond',
      [
        ['A', 0],
        ['X', MICROSECOND],
        ['B', 1],
      ],
      { level: 1 },
    ],
  ])('%s', async (_, events, expected) => {
    expect(await chains({ exclude }, one(...events))).toMatchObject([expected])
  })

  it('may be a step themselves, have filters, and span steps', async () => {
    const spanning = [{ event_type: 'B', where: [{ property: 'bad', op: '=', value: true }], after: 1, before: 3 }]
    expect(
      await chains({ exclude: spanning }, one(['A', 0], ['B', 1], ['B', 2, { bad: true }], ['C', 3]), {
        session: 'other',
        events: [
          ['A', 10],
          ['B', 11],
          ['B', 12, { bad: false }],
          ['C', 13],
        ],
      }),
    ).toMatchObject([{ level: 2 }, { level: 3 }])
  })
})

describe('optional steps', () => {
  const steps = ['A', { event_type: 'X', optional: true }, { event_type: 'D', optional: true }, 'B', 'C']
  it.each<[string, Journey['events'], object]>([
    [
      'are filled where they came, in order',
      [
        ['A', 0],
        ['D', 1],
        ['X', 2],
        ['D', 3],
        ['B', 4],
        ['C', 5],
      ],
      { level: 3, minutes: [0, 2, 3, 4, 5] },
    ],
    [
      'never change who comes further',
      [
        ['A', 0],
        ['B', 4],
        ['X', 5],
        ['C', 6],
      ],
      { level: 3, minutes: [0, null, null, 4, 6] },
    ],
    [
      'count after the last step reached, within the window',
      [
        ['A', 0],
        ['X', DAY],
        ['D', DAY + 1],
      ],
      { level: 1, minutes: [0, DAY, null, null, null] },
    ],
  ])('%s', async (_, events, expected) => {
    expect(await chains({ steps }, one(...events))).toMatchObject([expected])
  })
})

it('two processes share the units, and give what one gives', async () => {
  const journeys = Array.from(
    { length: 40 },
    (_, n): Journey => ({
      session: `s${n}`,
      events: [
        ['A', n],
        ['B', n + 1],
      ],
    }),
  )
  const all = await chains({ steps: ['A', 'B'] }, ...journeys)
  expect(all).toHaveLength(40)
  const { rows } = await database.pool.query(
    `with d as (select events_internal.funnel_definition($1) as definition)
     select p.part, count(*)::int as chains
     from d, generate_series(0, 1) as p (part), events_internal.funnel_chains_of_part(d.definition, 'true', p.part, 2) group by p.part order by 1`,
    [JSON.stringify({ steps: ['A', 'B'], from: minute(-DAY), to: minute(DAY) })],
  )
  expect(rows).toHaveLength(2)
  expect(rows.reduce((sum, { chains }) => sum + chains, 0)).toBe(40)
  const ended = await database.pool.query(
    `with d as (select events_internal.funnel_definition($1) as d)
     select events_internal.funnel_levels_of_part(events_internal.funnel_steps_sql(d), 2, (d ->> 'from')::timestamptz, (d ->> 'to')::timestamptz, (d ->> 'window')::bigint, part, 2)::int[] as ended
     from d, generate_series(0, 1) part`,
    [JSON.stringify({ steps: ['A', 'B'], from: minute(-DAY), to: minute(DAY) })],
  )
  expect(ended.rows.map((row) => row.ended[1])).toEqual(rows.map(({ chains }) => chains))
})
