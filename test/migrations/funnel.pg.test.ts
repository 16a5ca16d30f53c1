import type { Pool } from '@platform-events/postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { emptyTables } from '../support/empty-tables.ts'
import { FAR_APART, startMigrated } from '../support/grounds.ts'
import { minute, START, storeJourneys, user } from './funnel-journeys.ts'

const BOOKING = ['SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'BookingConfirmed']
const DAY = 24 * 60

describe.each(FAR_APART)('funnels on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }
  const store = (...journeys: Parameters<typeof storeJourneys>[1][]) => storeJourneys(database.superuser, ...journeys)

  beforeAll(async () => {
    database = await startMigrated(ground)
  })
  afterEach(async () => {
    await emptyTables(
      database.superuser,
      'public.platform_events',
      'events_internal.session_users',
      'events_internal.event_rollup_hourly',
    )
  })
  afterAll(async () => {
    await database.stop()
  })

  it('answer the customer in percent of the first stage, guests included', async () => {
    await store(
      {
        session: 'guest',
        events: [
          ['SearchStarted', 0],
          ['ProfessionalViewed', 10],
          ['CheckoutStarted', 20],
          ['BookingConfirmed', 30],
        ],
      },
      {
        session: 'logs in',
        events: [
          ['SearchStarted', 0],
          ['ProfessionalViewed', 10],
        ],
      },
      { user: user('a'), session: 'logs in', events: [['CheckoutStarted', 20]] },
      {
        session: 'late',
        events: [
          ['SearchStarted', 0],
          ['ProfessionalViewed', 8 * DAY],
        ],
      },
      { session: 'backwards', events: [['ProfessionalViewed', 0]] },
    )
    const { rows } = await database.pool.query(
      `select * from public.get_conversion_funnel($1, $1::timestamptz + interval '9 days')`,
      [START],
    )
    expect(rows).toEqual([
      { stage: 'SearchStarted', unique_users: '3', conversion_rate: '100.00' },
      { stage: 'ProfessionalViewed', unique_users: '2', conversion_rate: '66.67' },
      { stage: 'CheckoutStarted', unique_users: '2', conversion_rate: '66.67' },
      { stage: 'BookingConfirmed', unique_users: '1', conversion_rate: '33.33' },
    ])
  })

  it('close the window 7 days after the first step, that moment included', async () => {
    const second = 1 / 60
    await store(
      {
        session: 'in time',
        events: [
          ['SearchStarted', 0],
          ['ProfessionalViewed', 7 * DAY],
        ],
      },
      {
        session: 'too late',
        events: [
          ['SearchStarted', 0],
          ['ProfessionalViewed', 7 * DAY + second / 1_000_000],
        ],
      },
    )
    const { rows } = await database.pool.query(
      `select unique_users from public.get_conversion_funnel($1, $1::timestamptz + interval '8 days')`,
      [START],
    )
    expect(rows.map((row) => row.unique_users)).toEqual(['2', '1', '0', '0'])
  })

  it('have no rate without a first stage, and an answer where nothing ever came', async () => {
    for (const call of ['get_conversion_funnel(p_start_date => null)', 'get_conversion_funnel()'])
      expect((await database.pool.query(`select * from public.${call}`)).rows).toEqual(
        BOOKING.map((stage) => ({ stage, unique_users: '0', conversion_rate: null })),
      )
  })

  it('give each step with its rates and their Wilson intervals, the end exclusive', async () => {
    await store(
      {
        user: user(1),
        events: [
          ['A', 0],
          ['B', 1],
        ],
      },
      {
        session: 's',
        events: [
          ['A', 0],
          ['B', 5],
        ],
      },
    )
    const ask = (steps: string) =>
      database.pool.query(`select * from public.conversion_funnel($1, $2, $3, '1 hour')`, [steps, START, minute(5)])
    const { rows } = await ask('["A", { "event_type": "B", "name": "then B" }]')
    const all = { from_first: '1.000000', from_first_low: '0.342380', from_first_high: '1.000000' }
    const half = { from_first: '0.500000', from_first_low: '0.094531', from_first_high: '0.905469' }
    expect(rows).toEqual([
      {
        breakdown: null,
        step: 1,
        name: 'A',
        actors: '2',
        dropped: '0',
        from_previous: '1.000000',
        from_previous_low: '0.342380',
        from_previous_high: '1.000000',
        ...all,
      },
      {
        breakdown: null,
        step: 2,
        name: 'then B',
        actors: '1',
        dropped: '1',
        from_previous: '0.500000',
        from_previous_low: '0.094531',
        from_previous_high: '0.905469',
        ...half,
      },
    ])
    expect((await ask('["B", "B", "A"]')).rows).toMatchObject([
      { actors: '1', from_previous: '1.000000' },
      { actors: '0', from_previous: '0.000000' },
      { actors: '0', from_previous: null, from_first: '0.000000' },
    ])
  })
})
