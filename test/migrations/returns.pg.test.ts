import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { emptyTables } from '../support/empty-tables.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { linesOf, refusalOf, storeLines } from './counts-lines.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
afterEach(() => emptyTables(database.pool, 'public.platform_events', 'events_internal.session_users'))

const retention = (sql: string) => linesOf(database.pool, `select * from public.retention(${sql})`)

describe('retention', () => {
  it('follows everybody from the period of their first event, whatever the end of the range', async () => {
    await storeLines(
      database.pool,
      '2026-10-05T09:00:00Z Search ana', // a Monday
      '2026-10-11T23:59:59.999999Z Book ana',
      '2026-10-12T00:00:00Z Book ana',
      '2026-10-06T09:00:00Z Search ben',
      '2026-10-06T08:00:00Z Book ben', // before his first search
      '2026-10-13T09:00:00Z Search carla',
      '2026-10-13T09:00:00Z Search ana', // not her first
      '2026-10-20T09:00:00Z Book carla', // after the range
      '2026-10-20T09:00:00Z Book - stranger',
    )
    expect(await retention(`'Search', 'Book', '2026-10-05', '2026-10-19', 'week', 3`)).toEqual([
      '2026-10-05 00:00 | 2 | 0 | 1 | 0.500000 | f',
      '2026-10-05 00:00 | 2 | 1 | 1 | 0.500000 | f',
      '2026-10-05 00:00 | 2 | 2 | 0 | 0.000000 | f',
      '2026-10-12 00:00 | 1 | 0 | 0 | 0.000000 | f',
      '2026-10-12 00:00 | 1 | 1 | 1 | 1.000000 | f',
      '2026-10-12 00:00 | 1 | 2 | 0 | 0.000000 | f',
    ])
  })

  it('takes another event than the first for a return, also at the same instant', async () => {
    const only = async (first: string, returning: string, ...lines: string[]) => {
      await storeLines(database.pool, '2026-10-01T00:00:00Z Search', '2026-10-01T00:00:00Z Book', ...lines)
      const [line] = await retention(`${first}, ${returning}, '2026-10-05', '2026-10-06', 'day', 1`)
      await emptyTables(database.pool, 'public.platform_events')
      return line!.split(' | ')[3]
    }
    const search = '2026-10-05T09:00:00Z Search ana'
    const book = '2026-10-05T09:00:00Z Book ana'
    expect(await only(`'Search'`, `'Search'`, search)).toBe('0')
    expect(await only(`'Search'`, `'Search'`, search, search)).toBe('1')
    expect(await only('null', 'null', search)).toBe('0')
    expect(await only(`'Search'`, 'null', book, search)).toBe('1')
    // Of any first event and one to return, the order of ids decides which of the two was the first.
    expect(await only('null', `'Book'`, book, search)).toBe('0')
    expect(await only('null', `'Book'`, search, book)).toBe('1')
  })

  it('says which periods are not over, and counts nothing that is yet to come', async () => {
    const [today, tomorrow] = [0, 1].map((n) => new Date(Date.now() + n * 86_400_000).toISOString().slice(0, 10))
    await storeLines(database.pool, `${today}T00:00:00Z Search ana`, `${tomorrow}T23:00:00Z Search ana`)
    expect(await retention(`'Search', 'Search', '${today}', now() + interval '3 days', 'day', 2`)).toEqual([
      `${today} 00:00 | 1 | 0 | 0 | 0.000000 | t`,
      `${today} 00:00 | 1 | 1 | 0 | 0.000000 | t`,
    ])
  })

  it('goes by the clocks of the zone, a week across the change of clocks and months of their own lengths', async () => {
    await storeLines(
      database.pool,
      '2026-10-26T04:00:00Z Search ana', // Monday 0:00 in New York, summer time
      '2026-11-02T04:59:59Z Book ana', // Sunday 23:59:59, winter time
      '2026-11-02T05:00:00Z Book ana',
    )
    expect(await retention(`'Search', 'Book', '2026-10-26', '2026-11-02', 'week', 2, 'America/New_York'`)).toEqual([
      '2026-10-26 04:00 | 1 | 0 | 1 | 1.000000 | f',
      '2026-10-26 04:00 | 1 | 1 | 1 | 1.000000 | f',
    ])
    expect(
      (await retention(`'Search', 'Book', '2026-10-26', '2026-11-02', 'month', 1, 'America/New_York'`))[0],
    ).toMatch(/^2026-10-01 04:00/)
  })

  it('refuses what has no answer', async () => {
    await storeLines(database.pool, '2026-11-02T09:00:00Z Search ana')
    for (const [asked, message] of [
      [`'Serch'`, 'no event of type Serch has ever come; did you mean Search?'],
      [`'Search', 'Serch'`, 'no event of type Serch has ever come; did you mean Search?'],
      [`p_unit => 'hour'`, 'no such unit of retention: hour'],
      [`p_periods => 0`, 'retention has 1 to 100 periods'],
      [`p_periods => 101`, 'retention has 1 to 100 periods'],
      [`p_time_zone => 'Mars'`, 'no such time zone: Mars'],
      [`p_from => now(), p_to => now() - interval '1 s'`, 'the range of time ends before it begins'],
      [`p_from => '-infinity'`, 'the range of time has more than 10000 weeks'],
    ] as const)
      expect(await refusalOf(database.pool, `select * from public.retention(${asked})`), asked).toMatchObject({
        code: '22023',
        message,
      })
  })
})
