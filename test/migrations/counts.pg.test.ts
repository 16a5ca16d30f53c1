import type { Pool } from '@platform-events/postgres'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FAR_APART, startMigrated } from '../support/grounds.ts'

const HOUR = 3_600_000_000n // microseconds

describe.each(FAR_APART)('get_event_counts_by_type on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }
  let base: bigint // an hour's start, 60 h ago, in µs

  beforeAll(async () => {
    database = await startMigrated(ground)
    base = ((BigInt(Date.now()) * 1000n) / HOUR) * HOUR - 60n * HOUR
    // Hours of 40, on the hour, one µs beside it, and anywhere; half of them as the consumer loads them.
    await database.superuser.query(
      `with made as (
         select 'T' || n % 7 as event_type, n % 2 as source_id,
                to_timestamp($1::numeric / 1000000) + (n % 40) * interval '1 hour' + case n % 5
                  when 0 then interval '0' when 1 then interval '1 microsecond' when 2 then interval '1 hour' - interval '1 microsecond'
                  else (n * 7919 % 3600000000) * interval '1 microsecond' end as created_at
         from generate_series(1, 1500) n),
       loaded as (
         insert into public.platform_events (event_type, source_id, created_at) select event_type, source_id, created_at from made
         returning event_type, source_id, created_at)
       insert into events_internal.event_rollup_hourly (hour, event_type, shard, n)
       select date_trunc('hour', created_at, 'UTC'), event_type, 3, count(*) from loaded where source_id = 1 group by 1, 2`,
      [base],
    )
  })
  afterAll(async () => {
    await database.stop()
  })

  const at = (offset: bigint) => {
    const micros = base + offset
    return `${new Date(Number(micros / 1000n)).toISOString().slice(0, -1)}${(micros % 1000n).toString().padStart(3, '0')}Z`
  }
  const counts = async (pool: Pool, from: string, to: string) =>
    (
      await pool.query(`select * from public.get_event_counts_by_type(p_start_date => $1, p_end_date => $2)`, [
        from,
        to,
      ])
    ).rows
  const rawCounts = async (from: string, to: string) =>
    (
      await database.superuser.query(
        `select event_type, count(*) as event_count from public.platform_events
         where created_at >= $1 and created_at <= $2 group by 1 order by 2 desc, 1`,
        [from, to],
      )
    ).rows

  it('equals counting the rows, whatever the edges', async () => {
    const edge = fc.oneof(
      fc.bigInt({ min: -HOUR, max: 42n * HOUR }),
      fc.bigInt({ min: -1n, max: 42n }).map((hour) => hour * HOUR),
      fc.tuple(fc.bigInt({ min: 0n, max: 41n }), fc.constantFrom(-2n, -1n, 1n)).map(([hour, by]) => hour * HOUR + by),
      fc.bigInt({ min: 0n, max: HOUR - 1n }), // both in one hour, often
    )
    await fc.assert(
      fc.asyncProperty(edge, edge, async (from, to) => {
        expect(await counts(database.pool, at(from), at(to))).toEqual(await rawCounts(at(from), at(to)))
      }),
      { numRuns: 300 },
    )
  })

  it('equals it in any time zone of the session', async () => {
    const client = await database.pool.connect()
    try {
      await client.query(`set timezone = 'Asia/Kathmandu'`) // UTC + 5:45
      const { rows } = await client.query('select * from public.get_event_counts_by_type($1, $2)', [
        at(1n),
        at(9n * HOUR + 5n),
      ])
      expect(rows).toEqual(await rawCounts(at(1n), at(9n * HOUR + 5n)))
    } finally {
      client.release(true)
    }
  })

  it('includes both ends, and is empty when they are swapped or null', async () => {
    expect(await counts(database.pool, at(0n), at(0n))).not.toEqual([])
    expect(await counts(database.pool, at(0n), at(0n))).toEqual(await rawCounts(at(0n), at(0n)))
    expect(await counts(database.pool, at(5n * HOUR), at(0n))).toEqual([])
    expect(await counts(database.pool, null as unknown as string, at(0n))).toEqual([])
  })

  it('answers for all time', async () => {
    expect(await counts(database.pool, '-infinity', 'infinity')).toEqual(await rawCounts('-infinity', 'infinity'))
  })

  it('defaults to the last 30 days', async () => {
    const { rows } = await database.pool.query('select * from public.get_event_counts_by_type()')
    expect(rows).toEqual(await rawCounts('-infinity', 'infinity'))
  })

  it('keeps whole hours whose rows retention has dropped', async () => {
    await database.superuser.query(
      `insert into events_internal.event_rollup_hourly values ('2020-01-01T10:00Z', 'Ancient', 0, 7)`,
    )
    expect(await counts(database.pool, '2020-01-01T10:00Z', '2020-01-01T10:59:59.999999Z')).toEqual([
      { event_type: 'Ancient', event_count: '7' },
    ])
  })
})
