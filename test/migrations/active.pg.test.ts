import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { emptyTables } from '../support/empty-tables.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { linesOf, storeLines } from './counts-lines.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
beforeEach(() =>
  emptyTables(
    database.pool,
    'public.platform_events',
    'events_internal.session_users',
    'events_internal.event_rollup_hourly',
  ),
)

const active = (sql: string) => linesOf(database.pool, `select * from public.active_actors(${sql})`)

describe('active_actors', () => {
  it('counts each actor once a day, and in the 7 and 30 days that begin with a day of theirs', async () => {
    await storeLines(
      database.pool,
      '2026-10-01T00:00:00Z A ana',
      '2026-10-07T10:00:00Z A - guest',
      '2026-10-07T11:00:00Z B - guest',
      '2026-10-07T12:00:00Z A - -',
    )
    const rows = await active(`'2026-10-01', '2026-11-07'`)
    expect(rows[0]).toBe('2026-10-01 00:00 | 1 | 1 | 1 | 1.000000')
    expect(rows[1]).toBe('2026-10-02 00:00 | 0 | 1 | 1 | 0.000000')
    expect(rows[6]).toBe('2026-10-07 00:00 | 1 | 2 | 2 | 0.500000')
    expect(rows[7]).toBe('2026-10-08 00:00 | 0 | 1 | 2 | 0.000000') // ana's week is over
    expect(rows[29]).toBe('2026-10-30 00:00 | 0 | 0 | 2 | 0.000000')
    expect(rows[30]).toBe('2026-10-31 00:00 | 0 | 0 | 1 | 0.000000')
    expect(rows[36]).toBe('2026-11-06 00:00 | 0 | 0 | 0 | -')
    expect(await active(`'2026-10-07', '2026-10-08', '{B}'`)).toEqual(['2026-10-07 00:00 | 1 | 1 | 1 | 1.000000'])
  })

  it('takes a guest who logs in for one with the user, and days by the clocks of the zone, whole', async () => {
    await storeLines(
      database.pool,
      '2026-11-01T03:59:59Z A ben', // still October in New York
      '2026-11-01T04:00:00Z A - phone',
      '2026-11-02T04:59:59Z A ana phone', // 25 hours later less a second
    )
    expect(await active(`'2026-11-01 12:00Z', '2026-11-01 13:00Z', null, 'America/New_York'`)).toEqual([
      '2026-11-01 04:00 | 1 | 2 | 2 | 0.500000',
    ])
  })

  it('leaves open what would need days whose rows are dropped, and refuses a range that does', async () => {
    const [oldest] = await linesOf(database.pool, 'select events_internal.oldest_day()')
    const day = (n: number) => new Date(Date.parse(oldest!) + n * 86_400_000).toISOString().slice(0, 10)
    await storeLines(database.pool, `${day(6)}T09:00:00Z A ana`)
    await database.pool.query(`insert into events_internal.event_rollup_hourly values ($1, 'A', 0, 1)`, [
      `${day(-3)}T09:00:00Z`,
    ])
    expect(await active(`'${day(5)}', '${day(7)}'`)).toEqual([
      `${day(5)} 00:00 | 0 | - | - | -`,
      `${day(6)} 00:00 | 1 | 1 | - | -`,
    ])
    await expect(active(`'${day(-4)}', '${day(7)}'`)).rejects.toMatchObject({ code: '22023' })
  })
})
