import type { Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { emptyTables } from '../support/empty-tables.ts'
import { FAR_APART, startMigrated } from '../support/grounds.ts'
import { linesOf, refusalOf, storeLines } from './counts-lines.ts'

describe.each(FAR_APART)('event_counts on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }
  let pool: Pool

  beforeAll(async () => {
    database = await startMigrated(ground)
    pool = database.pool
  })
  afterAll(async () => {
    await database?.stop()
  })
  beforeEach(async () => {
    await emptyTables(
      database.superuser,
      'public.platform_events',
      'events_internal.session_users',
      'events_internal.event_rollup_hourly',
    )
  })
  const counts = (sql: string) => linesOf(pool, `select * from public.event_counts(${sql})`)
  /** Buckets with something in them, and how many: from the rollup and, by a filter that lets everything pass, from rows. */
  const series = async (bucket: string, zone: string, from: string, to: string) => {
    const ask = (filter: string) =>
      linesOf(
        pool,
        `select bucket, events from public.event_counts(null, '${from}', '${to}', '${bucket}', null, '${filter}', '${zone}') where events > 0`,
      )
    const fromRollup = await ask('[]')
    expect(await ask('[{"property": "none", "op": "exists", "value": false}]')).toEqual(fromRollup)
    return fromRollup
  }
  /** An event every so many minutes. */
  const every = async (minutes: number, from: string, to: string) => {
    await pool.query(
      `select events_internal.create_day(d::date) from generate_series($1::timestamptz at time zone 'UTC', $2::timestamptz at time zone 'UTC', '1 day') d`,
      [from, to],
    )
    await pool.query(
      `insert into public.platform_events (event_type, created_at)
       select 'A', generate_series($1::timestamptz, $2::timestamptz - interval '1 microsecond', make_interval(mins => $3))`,
      [from, to, minutes],
    )
  }

  it('counts by day, with the days on which nothing came; by type, source and property, what there is', async () => {
    await storeLines(
      pool,
      '2026-11-02T09:00:00Z SearchStarted ana s-1 {"city":"Cali"}',
      '2026-11-02T23:59:59.999999Z SearchStarted - s-2 {"city":"Cali"}',
      '2026-11-04T00:00:00Z BookingConfirmed ana s-1 {"total":5}',
      '2026-11-04T10:00:00Z SearchStarted - - {"city":null}',
    )
    const range = `'2026-11-02', '2026-11-05'`
    expect(await counts(`null, ${range}`)).toEqual([
      '2026-11-02 00:00 | - | - | 2 | -',
      '2026-11-03 00:00 | - | - | 0 | -',
      '2026-11-04 00:00 | - | - | 2 | -',
    ])
    expect(await counts(`null, ${range}, 'all', '$event_type'`)).toEqual([
      '2026-11-02 00:00 | SearchStarted | - | 3 | -',
      '2026-11-02 00:00 | BookingConfirmed | - | 1 | -',
    ])
    expect(await counts(`null, ${range}, 'day', 'city', p_unique => true`)).toEqual([
      '2026-11-02 00:00 | - | Cali | 2 | 2',
      '2026-11-04 00:00 | - | - | 2 | 1',
    ])
    expect(await counts(`'{SearchStarted}', ${range}, 'all', '$source'`)).toEqual(['2026-11-02 00:00 | - | 0 | 3 | -'])
    expect(
      await counts(`null, ${range}, 'all', p_filter => '[{"property": "city", "op": "=", "value": "Cali"}]'`),
    ).toEqual(['2026-11-02 00:00 | - | - | 2 | -'])
  })

  it('counts a guest who logs in as one with the user, in every bucket', async () => {
    await storeLines(
      pool,
      '2026-11-02T09:00:00Z A - phone',
      '2026-11-02T09:30:00Z A ana phone',
      '2026-11-02T10:00:00Z A ana laptop',
      '2026-11-03T09:00:00Z A - phone',
      '2026-11-03T09:00:00Z A - guest',
    )
    expect(await counts(`null, '2026-11-02', '2026-11-04', 'day', p_unique => true`)).toEqual([
      '2026-11-02 00:00 | - | - | 3 | 1',
      '2026-11-03 00:00 | - | - | 2 | 2',
    ])
    expect(await counts(`null, '2026-11-02', '2026-11-04', 'all', p_unique => true`)).toEqual([
      '2026-11-02 00:00 | - | - | 5 | 2',
    ])
  })

  it('gives the day of New York on which clocks go forward 23 hours, and the one on which they go back 25', async () => {
    await every(30, '2026-03-07T00:00Z', '2026-03-10T00:00Z')
    expect(await series('day', 'America/New_York', '2026-03-07 05:00Z', '2026-03-10 00:00Z')).toEqual([
      '2026-03-07 05:00 | 48',
      '2026-03-08 05:00 | 46',
      '2026-03-09 04:00 | 40',
    ])
    await every(30, '2026-10-31T00:00Z', '2026-11-03T00:00Z')
    expect(await series('day', 'America/New_York', '2026-10-31 04:00Z', '2026-11-03 00:00Z')).toEqual([
      '2026-10-31 04:00 | 48',
      '2026-11-01 04:00 | 50',
      '2026-11-02 05:00 | 38',
    ])
    // 1 o'clock is there twice, as two buckets.
    expect(await series('hour', 'America/New_York', '2026-11-01 05:00Z', '2026-11-01 07:00Z')).toEqual([
      '2026-11-01 05:00 | 2',
      '2026-11-01 06:00 | 2',
    ])
  })

  it('cuts hours where a zone is half an hour off, also where clocks change by half an hour', async () => {
    await every(10, '2026-04-04T00:00Z', '2026-04-06T00:00Z')
    expect(await series('day', 'Asia/Kolkata', '2026-04-04 00:00Z', '2026-04-06 00:00Z')).toEqual([
      '2026-04-03 18:30 | 111',
      '2026-04-04 18:30 | 144',
      '2026-04-05 18:30 | 33',
    ])
    // At 2:00 summer time it is 1:30 again: an hour of 60 minutes, one of 30.
    expect(await series('hour', 'Australia/Lord_Howe', '2026-04-04 14:00Z', '2026-04-04 16:30Z')).toEqual([
      '2026-04-04 14:00 | 6',
      '2026-04-04 15:00 | 3',
      '2026-04-04 15:30 | 6',
    ])
    expect(await series('day', 'Australia/Lord_Howe', '2026-04-04 00:00Z', '2026-04-05 13:30Z')).toEqual([
      '2026-04-03 13:00 | 78',
      '2026-04-04 13:00 | 147',
    ])
    // A midnight that clocks show twice: the day begins with the first.
    await every(30, '2026-11-01T00:00Z', '2026-11-02T06:00Z')
    expect(await series('day', 'America/Havana', '2026-11-01 00:00Z', '2026-11-02 05:00Z')).toEqual([
      '2026-10-31 04:00 | 8',
      '2026-11-01 04:00 | 50',
    ])
  })

  it('begins weeks on Monday, and months on the zone’s own first', async () => {
    await storeLines(pool, '2026-11-01T04:59:59Z A', '2026-11-01T05:00:00Z A', '2026-11-02T05:00:00Z A')
    expect(await series('week', 'America/Bogota', '2026-10-31', '2026-11-03')).toEqual([
      '2026-10-26 05:00 | 2',
      '2026-11-02 05:00 | 1',
    ])
    expect(await series('month', 'America/Bogota', '2026-10-31', '2026-11-03')).toEqual([
      '2026-10-01 05:00 | 1',
      '2026-11-01 05:00 | 2',
    ])
  })

  it('reaches back behind the oldest rows in whole hours, and says so where it cannot', async () => {
    await database.superuser.query(
      `insert into events_internal.event_rollup_hourly values ('2020-01-01 10:00Z', 'A', 0, 7), ('2020-01-02 10:00Z', 'B', 0, 1)`,
    )
    expect(await counts(`null, '2020-01-01', '2020-01-03'`)).toEqual([
      '2020-01-01 00:00 | - | - | 7 | -',
      '2020-01-02 00:00 | - | - | 1 | -',
    ])
    expect(await counts(`'{A}', '2020-01-01 05:00', '2020-01-03', 'day', p_time_zone => 'America/Bogota'`)).toEqual([
      '2020-01-01 05:00 | - | - | 7 | -',
      '2020-01-02 05:00 | - | - | 0 | -',
    ])
    const kept = (await linesOf(pool, 'select events_internal.oldest_day()'))[0]
    for (const asked of [
      `null, '2020-01-01 10:30Z', '2020-01-03'`,
      `null, '2020-01-01', '2020-01-03', 'hour', p_time_zone => 'Asia/Kolkata'`,
      `null, '2020-01-01', '2020-01-03', 'minute'`,
      `null, '2020-01-01', now(), 'month', p_unique => true`,
      `null, '2020-01-01', now(), 'month', 'city'`,
      `null, '2020-01-01', now(), 'month', p_filter => '[{"property": "city", "op": "exists"}]'`,
    ])
      expect(await refusalOf(pool, `select * from public.event_counts(${asked})`), asked).toMatchObject({
        code: '22023',
        message: `raw events are kept since ${kept}; counts without filter reach back further`,
      })
  })

  it('answers of the future, of no time and of all time', async () => {
    await storeLines(pool, '2026-11-02T09:00:00Z A ana')
    expect(await counts(`null, '2126-01-01', '2126-01-03', p_unique => true`)).toEqual([
      '2126-01-01 00:00 | - | - | 0 | 0',
      '2126-01-02 00:00 | - | - | 0 | 0',
    ])
    expect(await counts(`null, '2026-11-02', '2026-11-02'`)).toEqual([])
    expect(await counts(`null, '-infinity', 'infinity', 'all'`)).toEqual(['-infinity | - | - | 1 | -'])
  })

  it('stands beside the other analyses, which answer here too', async () => {
    await storeLines(pool, '2026-11-02T09:00:00Z A ana - {"city":"Cali"}', '2026-11-02T10:00:00Z B ana')
    const range = `'2026-11-02', '2026-11-03'`
    const first = async (call: string) => (await linesOf(pool, `select * from public.${call}`))[0]
    expect(await first(`paths('A', null, ${range})`)).toBe('{A,B} | 1 | 1')
    expect(await first(`retention('A', 'B', ${range}, 'day', 1)`)).toBe('2026-11-02 00:00 | 1 | 0 | 1 | 1.000000 | f')
    expect(await first(`active_actors(${range})`)).toBe('2026-11-02 00:00 | 1 | 1 | 1 | 1.000000')
    expect(await first(`time_between('"A"', '"B"', ${range})`)).toMatch(
      /^1 [|] 01:00:00 [|] 01:00:00 [|] 01:00:00 [|] 01:00:00 [|]/,
    )
    expect(await first(`top_values('A', 'city', ${range})`)).toBe('Cali | 1 | 1 | 1.000000')
    expect(await first(`event_properties('A', ${range})`)).toBe('A | city | {string} | 1.000000 | 1 | {Cali}')
    expect(await first(`verify_rollups(${range})`)).toBeUndefined()
  })

  it('refuses what has no answer, and says what to do', async () => {
    await storeLines(pool, '2026-11-02T09:00:00Z A', '2026-11-02T09:00:00Z SearchStarted')
    const cases: [asked: string, message: string][] = [
      [`'{serchstarted}', now(), now()`, 'no event of type serchstarted has ever come; did you mean SearchStarted?'],
      [`array['A', null], now(), now()`, 'an event type is null'],
      [`null, now(), now() - interval '1 s'`, 'the range of time ends before it begins'],
      [`null, null, now()`, 'the range of time has no begin'],
      [`null, now() - interval '1 year', now(), 'hour', p_time_zone => null`, 'no such time zone: null'],
      [`null, now() - interval '10 years', now(), 'hour'`, 'the range of time has more than 10000 hours'],
      [`null, '-infinity', now(), 'day'`, 'the range of time has more than 10000 days'],
      [`null, now(), now(), 'decade'`, 'no such bucket: decade'],
      [`null, now(), now(), 'all', p_time_zone => 'Mars/Base'`, 'no such time zone: Mars/Base'],
      [`null, now(), now(), 'day', p_time_zone => 'UTC+5'`, 'no such time zone: UTC+5'],
      [`null, now(), now(), 'day', p_filter => '{}'`, 'filters are a list'],
    ]
    for (const [asked, message] of cases)
      expect(await refusalOf(pool, `select * from public.event_counts(${asked})`), asked).toMatchObject({
        code: '22023',
        message,
        hint: expect.any(String),
      })
  })
})
