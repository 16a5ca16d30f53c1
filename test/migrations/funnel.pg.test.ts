import type { Pool } from '@platform-events/postgres'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FAR_APART, startMigrated } from '../support/grounds.ts'
import { bruteForceFunnel, type FunnelQuestion, type FunnelRow } from './funnel-oracle.ts'

const BOOKING = ['SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'BookingConfirmed']

describe.each(FAR_APART)('funnels on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }
  let base: Date

  beforeAll(async () => {
    database = await startMigrated(ground)
    base = new Date(Date.now() - 5 * 86_400_000)
  })
  afterEach(async () => {
    await database.superuser.query('truncate public.platform_events, events_internal.session_users')
  })
  afterAll(async () => {
    await database.stop()
  })

  /** Rows by direct insert, in the order given; `at` counts in units of `unit`. */
  const store = (rows: FunnelRow[], unit: string) =>
    database.superuser.query(
      `insert into public.platform_events (id, event_type, user_id, session_id, created_at)
       select id, "eventType", "userId", "sessionId", $2::timestamptz + at * $3::interval
       from json_to_recordset($1) as r (id uuid, "eventType" text, "userId" uuid, "sessionId" text, at int)`,
      [JSON.stringify(rows), base, unit],
    )
  const walk = async (question: FunnelQuestion, unit: string) => {
    const { rows } = await database.pool.query<{ step: number; actors: string }>(
      `select * from events_internal.funnel_walk($1, $2::timestamptz + $3 * $7::interval, $2::timestamptz + $4 * $7::interval, $5, $6 * $7::interval)`,
      [question.steps, base, question.from, question.to, question.toInclusive, question.window, unit],
    )
    expect(rows.map((row) => row.step)).toEqual(question.steps.map((_, index) => index + 1))
    return rows.map((row) => Number(row.actors))
  }

  // Many people at once, so that one question tries many journeys; few rows each, for the search is exponential.
  const rowsOf = (instants: number) =>
    fc
      .array(
        fc.record({
          id: fc.uuid(),
          userId: fc.option(
            fc.integer({ min: 0, max: 9 }).map((n) => `00000000-0000-4000-8000-00000000000${n}`),
            { freq: 1 },
          ),
          sessionId: fc.option(
            fc.integer({ min: 1, max: 20 }).map((n) => `session ${n}`),
            { freq: 6 },
          ),
          eventType: fc.constantFrom('A', 'A', 'B', 'B', 'C', 'D', 'Other'),
          at: fc.noBias(fc.integer({ min: 0, max: instants })),
        }),
        { minLength: 20, maxLength: 120, size: 'max' },
      )
      .map((rows) => [...new Map(rows.map((row) => [row.id, row])).values()])
  const questionOf = (steps: fc.Arbitrary<string[]>, instants: number) =>
    fc.record({
      steps,
      from: fc.oneof(fc.constant(0), fc.integer({ min: -1, max: instants })),
      to: fc.oneof(fc.constant(instants), fc.integer({ min: 0, max: instants + 2 })),
      toInclusive: fc.boolean(),
      window: fc.oneof(fc.noBias(fc.integer({ min: 0, max: instants })), fc.constantFrom(0, 2, 1000)),
    })

  // Few instants make ties, few types repeats, few people shared sessions; in microseconds and in hours over days.
  it.each([
    {
      what: 'distinct steps',
      steps: fc.shuffledSubarray(['A', 'B', 'C', 'D'], { minLength: 1 }),
      instants: 12,
      unit: '9 hours',
    },
    {
      what: 'distinct steps, many ties',
      steps: fc.constant<string[]>(['A', 'B', 'C']),
      instants: 3,
      unit: '1 microsecond',
    },
    {
      what: 'repeated steps',
      steps: fc.array(fc.constantFrom('A', 'B'), { minLength: 1, maxLength: 5 }),
      instants: 12,
      unit: '1 second',
    },
    {
      what: 'repeated steps, many ties',
      steps: fc.array(fc.constantFrom('A', 'B', 'C'), { minLength: 2, maxLength: 5 }),
      instants: 2,
      unit: '1 microsecond',
    },
  ])(
    'equal an exhaustive search: $what',
    async ({ steps, instants, unit }) => {
      await fc.assert(
        fc
          .asyncProperty(rowsOf(instants), questionOf(steps, instants), async (rows, question) => {
            await store(rows, unit)
            expect(await walk(question, unit)).toEqual(bruteForceFunnel(rows, question))
          })
          .afterEach(async () => {
            await database.superuser.query(
              `delete from public.platform_events where true; delete from events_internal.session_users where true`,
            )
          }),
        { numRuns: 100, interruptAfterTimeLimit: 60_000 },
      )
    },
    120_000,
  )

  const journey = (userId: string | null, sessionId: string | null, ...steps: [string, number][]): FunnelRow[] =>
    steps.map(([eventType, at]) => ({ id: crypto.randomUUID(), userId, sessionId, eventType, at }))
  const ana = '00000000-0000-4000-8000-00000000000a'

  it('answer the customer in percent of the first stage, guests included', async () => {
    await store(
      [
        ...journey(
          null,
          'guest',
          ['SearchStarted', 0],
          ['ProfessionalViewed', 1],
          ['CheckoutStarted', 2],
          ['BookingConfirmed', 3],
        ),
        ...journey(null, 'logs in', ['SearchStarted', 0], ['ProfessionalViewed', 1]),
        ...journey(ana, 'logs in', ['CheckoutStarted', 2]),
        ...journey(null, 'late', ['SearchStarted', 0], ['ProfessionalViewed', 8 * 24]),
        ...journey(null, 'backwards', ['ProfessionalViewed', 0]),
      ],
      '10 minutes',
    )
    const { rows } = await database.pool.query('select * from public.get_conversion_funnel()')
    expect(rows).toEqual([
      { stage: 'SearchStarted', unique_users: '3', conversion_rate: '100.00' },
      { stage: 'ProfessionalViewed', unique_users: '3', conversion_rate: '100.00' },
      { stage: 'CheckoutStarted', unique_users: '2', conversion_rate: '66.67' },
      { stage: 'BookingConfirmed', unique_users: '1', conversion_rate: '33.33' },
    ])
  })

  it('close the window 7 days after the first step, that moment included', async () => {
    await store(journey(null, 'in time', ['SearchStarted', 0], ['ProfessionalViewed', 7 * 86_400]), '1 second')
    await store(journey(null, 'too late', ['SearchStarted', 0], ['ProfessionalViewed', 7 * 86_400 + 1]), '1 second')
    const { rows } = await database.pool.query(
      `select unique_users from public.get_conversion_funnel($1, $1::timestamptz + interval '8 days')`,
      [base],
    )
    expect(rows.map((row) => row.unique_users)).toEqual(['2', '1', '0', '0'])
  })

  it('have no rate without a first stage', async () => {
    const { rows } = await database.pool.query('select * from public.get_conversion_funnel(p_start_date => null)')
    expect(rows).toEqual(BOOKING.map((stage) => ({ stage, unique_users: '0', conversion_rate: null })))
  })

  it('give fractions of 1 for any steps, the end exclusive', async () => {
    await store([...journey(ana, null, ['A', 0], ['B', 1]), ...journey(null, 's', ['A', 0], ['B', 5])], '1 minute')
    const { rows } = await database.pool.query(
      `select * from public.conversion_funnel(array['A', 'B', 'A'], $1, $1::timestamptz + interval '5 minutes')`,
      [base],
    )
    expect(rows).toEqual([
      { step: 1, event_type: 'A', actors: '2', from_previous: '1.000000', from_first: '1.000000' },
      { step: 2, event_type: 'B', actors: '1', from_previous: '0.500000', from_first: '0.500000' },
      { step: 3, event_type: 'A', actors: '0', from_previous: '0.000000', from_first: '0.000000' },
    ])
  })

  it.each([
    [`null::text[]`, `interval '1 day'`],
    [`'{}'::text[]`, `interval '1 day'`],
    [`array['A', null]`, `interval '1 day'`],
    [`array_fill('A'::text, array[33])`, `interval '1 day'`],
    [`array['A']`, `interval '-1 day'`],
    [`array['A']`, `null`],
  ])('refuse steps %s with window %s', async (steps, window) => {
    await expect(
      database.pool.query(`select * from public.conversion_funnel(${steps}, now(), now(), ${window})`),
    ).rejects.toMatchObject({ code: '22023' })
  })
})
