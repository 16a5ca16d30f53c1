import type { Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await createTestDatabase()
  pool = database.pool
  await pool.query(
    `insert into public.platform_events (event_type) values ('SearchStarted'), ('ProfessionalViewed'), ('BookingConfirmed')`,
  )
})
afterAll(() => database.drop())

const define = async (funnel: unknown) =>
  (
    await pool.query<{ definition: Record<string, unknown> }>(
      'select events_internal.funnel_definition($1) as definition',
      [JSON.stringify(funnel)],
    )
  ).rows[0]!.definition

const TWO = ['SearchStarted', 'BookingConfirmed']

describe('a funnel definition', () => {
  it('is complete once checked', async () => {
    const now = (await pool.query<{ day: string }>(`select (now() at time zone 'UTC')::date::text as day`)).rows[0]!.day
    expect(
      await define({
        steps: [
          'SearchStarted',
          { event_type: 'ProfessionalViewed', optional: true },
          { event_types: ['BookingConfirmed', 'SearchStarted'], where: [{ property: 'city', op: '=', value: 'Cali' }] },
        ],
        from: now,
        to: `${now}T12:30:00.000001+02:00`,
        window: 'P1DT0.000001S',
        exclude: [{ event_type: 'ProfessionalViewed' }],
      }),
    ).toEqual({
      steps: [
        { name: 'SearchStarted', event_types: ['SearchStarted'], where: [], optional: false, bit: 0 },
        { name: 'ProfessionalViewed', event_types: ['ProfessionalViewed'], where: [], optional: true, bit: 20 },
        {
          name: 'BookingConfirmed or SearchStarted',
          event_types: ['BookingConfirmed', 'SearchStarted'],
          where: [{ property: 'city', op: '=', value: 'Cali' }],
          optional: false,
          bit: 1,
        },
      ],
      from: `${now}T00:00:00+00:00`,
      to: `${now}T10:30:00.000001+00:00`,
      window: 86_400_000_001,
      mode: 'ordered',
      unit: 'actor',
      exclude: [
        {
          event_types: ['ProfessionalViewed'],
          where: [],
          after: 1,
          before: 3,
          after_required: 1,
          before_required: 2,
          bit: 40,
        },
      ],
    })
  })

  it.each([
    ['P7D', 7 * 86_400e6],
    ['P1Y2M', (365 + 60) * 86_400e6],
    ['P2W', 14 * 86_400e6],
    ['PT36H', 36 * 3600e6],
    ['PT1M0.000001S', 60_000_001],
    ['P', null],
    ['PT', null],
    ['7 days', null],
    ['-P7D', null],
  ])('has a window of %s, %s µs', async (text, micros) => {
    const { rows } = await pool.query('select events_internal.duration_micros($1)::float8 as micros', [text])
    expect(rows[0].micros).toBe(micros)
  })

  it.each<[unknown, RegExp]>([
    [null, /a funnel is a JSON object/],
    [{ step: TWO }, /the unknown field step/],
    [{}, /the steps of a funnel are a list/],
    [{ steps: [] }, /at least 2 steps/],
    [{ steps: ['SearchStarted'] }, /at least 2 steps/],
    [{ steps: Array(21).fill('SearchStarted') }, /at most 20 steps, not 21/],
    [{ steps: ['SearchStarted', 7] }, /step 2 names no event types/],
    [{ steps: ['SearchStarted', { event_types: [] }] }, /step 2 names no event types/],
    [{ steps: ['SearchStarted', { event_type: 'SearchStarted', wher: [] }] }, /step 2 has the unknown field wher/],
    [{ steps: ['SearchStarted', { event_type: 'SearchStarted', where: [{ property: 'a', op: '~' }] }] }, /no such op/],
    [{ steps: ['SearchStarted', { event_type: 'SearchStarted', optional: 'yes' }] }, /optional is true or false/],
    [{ steps: ['SearchStarted', { event_type: 'SearchStarted', optional: true }] }, /last step cannot be optional/],
    [{ steps: TWO, mode: 'loose' }, /there is no mode loose/],
    [{ steps: TWO, unit: 'user' }, /there is no unit "user"/],
    [{ steps: TWO, unit: { property: 5 } }, /there is no unit/],
    [{ steps: TWO, window: 'P0D' }, /longer than nothing and at most 366 days/],
    [{ steps: TWO, window: 'P367D' }, /longer than nothing and at most 366 days/],
    [{ steps: TWO, window: 7 }, /longer than nothing and at most 366 days/],
    [{ steps: TWO, from: '2026-02-30' }, /from is no time/],
    [{ steps: TWO, from: 'yesterday' }, /from is no time/],
    [{ steps: TWO, to: '2026-02-03T10:00:00' }, /to is no time/],
    [{ steps: TWO, from: '2026-02-03', to: '2026-02-02' }, /ends before it begins/],
    [{ steps: TWO, exclude: [{ event_type: 'SearchStarted', after: 2, before: 2 }] }, /stands between no two steps/],
    [{ steps: TWO, exclude: [{ event_type: 'SearchStarted', after: 0 }] }, /stands between no two steps/],
    [{ steps: TWO, exclude: [{ event_type: 'SearchStarted', before: '2; drop table x' }] }, /between no two steps/],
    [{ steps: TWO, exclude: 'SearchStarted' }, /exclude is a list/],
    [{ steps: TWO, exclude: [{ event_type: 'SearchStarted' }], mode: 'strict' }, /exclude is for mode ordered/],
    [
      {
        steps: ['SearchStarted', { event_type: 'SearchStarted', optional: true }, 'SearchStarted'],
        exclude: [{ event_type: 'SearchStarted', before: 2 }],
      },
      /beside an optional step/,
    ],
    [
      { steps: ['SearchStarted', 'BookingConfimed'] },
      /^no event of type BookingConfimed has ever come; did you mean BookingConfirmed\?$/,
    ],
    [{ steps: ["x'; drop table platform_events; --", 'SearchStarted'] }, /no event of type x'; drop table/],
  ])('is refused, with a hint: %j', async (funnel, message) => {
    await expect(define(funnel)).rejects.toMatchObject({
      code: '22023',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/./),
    })
  })

  it('takes any text as a name and as a value, and runs none of it', async () => {
    const evil = `a'); drop table public.platform_events; select ('`
    await pool.query('insert into public.platform_events (event_type, properties) values ($1, $2)', [
      evil,
      { [evil]: evil },
    ])
    const { rows } = await pool.query(
      `select step, name from public.conversion_funnel($1::jsonb, p_unit => $2::jsonb)`,
      [
        JSON.stringify([{ event_type: evil, where: [{ property: evil, op: '=', value: evil }] }, 'SearchStarted']),
        JSON.stringify({ property: evil }),
      ],
    )
    expect(rows).toEqual([
      { step: 1, name: evil },
      { step: 2, name: 'SearchStarted' },
    ])
  })
})
