import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tableReads } from '../support/plans.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  await database.pool.query(
    `select events_internal.create_day(day::date) from generate_series(date '2026-09-25', '2026-11-10', '1 day') day`,
  )
  await database.pool.query(
    // Of what is committed asynchronously, as tests do, VACUUM cannot yet say that everybody sees it.
    `set local synchronous_commit = on;
     insert into public.platform_events (event_type, source_id, actor_key, created_at, properties)
     select 'T' || n % 5, 1, n % 97, '2026-09-25 00:00Z'::timestamptz + n * interval '1 minute', jsonb_build_object('city', 'Cali', 'text', repeat('x', 400)) from generate_series(0, 47 * 1440 - 1) n`,
  )
  await database.pool.query(
    `insert into events_internal.event_rollup_hourly
     select date_trunc('hour', created_at, 'UTC'), event_type, 0, count(*) from public.platform_events group by 1, 2`,
  )
  await database.pool.query('vacuum (freeze, analyze) public.platform_events')
  await database.pool.query('analyze events_internal.event_rollup_hourly')
})
afterAll(() => database.drop())

const COVERING = 'Index Only Scan platform_events event_type_created_at_actor_key'
const days = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, n) => `202611${String(first + n).padStart(2, '0')}`)
const RANGE = `'2026-11-03', '2026-11-06'`

// What is promised of large tables: how they are read, and that days out of the range are not touched.
describe('the plan of', () => {
  const reads = async (call: string) => {
    const { ways, days } = await tableReads(database.pool, `select * from public.${call}`)
    return { ways: ways.filter((way) => way.includes('platform_events')), days }
  }

  it('whole hours touches no event', async () => {
    expect(
      await reads(`event_counts(null, ${RANGE}, 'hour', '$event_type', p_time_zone => 'America/Bogota')`),
    ).toMatchObject({ ways: [], days: [] })
    expect(await reads(`event_counts('{T1}', '2026-01-01', '2027-01-01', 'month')`)).toMatchObject({
      ways: [],
      days: [],
    })
  })

  it('hours that are cut reads their days alone', async () => {
    const { days: read } = await reads(`event_counts('{T1}', '2026-11-03 10:30Z', '2026-11-06 10:30Z')`)
    expect(read).toEqual(['20261103', '20261106'])
    expect((await reads(`event_counts('{T1}', ${RANGE}, 'day', p_time_zone => 'Asia/Kolkata')`)).days).toEqual(
      days(3, 5),
    )
  })

  it('unique actors is index-only, and by types where they are named', async () => {
    expect(await reads(`event_counts('{T1,T2}', ${RANGE}, 'day', p_unique => true)`)).toMatchObject({
      ways: [COVERING],
      days: days(3, 5),
    })
    expect(await reads(`event_counts(null, ${RANGE}, 'week', p_unique => true)`)).toMatchObject({
      ways: [COVERING],
      days: days(3, 5),
    })
  })

  it('filters and properties reads the days of the range', async () => {
    const filter = `'[{"property": "city", "op": "=", "value": "Cali"}]'`
    for (const call of [
      `event_counts('{T1}', ${RANGE}, 'day', 'city', ${filter})`,
      `top_values('T1', 'city', ${RANGE})`,
      `event_properties('T1', ${RANGE})`,
      `paths('T1', null, ${RANGE}, p_types => '{T1,T2}')`,
    ])
      expect((await reads(call)).days, call).toEqual(days(3, 5))
  })

  it('active_actors is index-only, over 29 days more than asked', async () => {
    const { ways, days: read } = await reads(`active_actors(${RANGE}, '{T1}')`)
    expect(ways).toEqual([COVERING])
    expect([read.length, read[0], read.at(-1)]).toEqual([32, '20261005', '20261105'])
  })

  it('retention is index-only until the end of the last period', async () => {
    expect(await reads(`retention('T1', 'T2', ${RANGE}, 'day', 2)`)).toMatchObject({
      ways: [COVERING],
      days: days(3, 6),
    })
  })
})
