import { inTransaction, type Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { emptyTables } from '../support/empty-tables.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { rollupDifferences } from '../support/rollup.ts'

const DAY = '2026-11-10'
let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await createTestDatabase()
  pool = database.pool
  await pool.query(
    `select events_internal.create_day(day::date) from generate_series(date '${DAY}', '2026-11-12', '1 day') day`,
  )
})
afterAll(() => database.drop())
beforeEach(() => emptyTables(pool, 'public.platform_events', 'events_internal.event_rollup_hourly'))

/** A load as the consumer makes one: rows, and last the counts on its shard; both or neither. */
const load = (type: string, shard: number, rows: number, hour = 8) =>
  inTransaction(pool, async (client) => {
    await client.query(
      `insert into public.platform_events (event_type, source_id, created_at)
       select $1, 1, $2::date + $4 * interval '1 hour' + n * interval '1 second' from generate_series(1, $3::int) n`,
      [type, `${DAY}`, rows, hour],
    )
    await client.query(
      `insert into events_internal.event_rollup_hourly as r values ($2::date + $4 * interval '1 hour', $1, $5, $3)
       on conflict (hour, event_type, shard) do update set n = r.n + excluded.n`,
      [type, DAY, rows, hour, shard],
    )
  })
const verify = async (from = DAY, to = '2026-11-13') => {
  const { rows } = await pool.query(
    `select to_char(hour, 'DD HH24') as hour, event_type, counted, raw from public.verify_rollups($1, $2)`,
    [from, to],
  )
  return rows.map((row) => [row.hour, row.event_type, Number(row.counted), Number(row.raw)])
}
const rebuild = async (from = DAY, to = '2026-11-13') =>
  Number((await pool.query('select public.rebuild_rollups($1, $2) as mended', [from, to])).rows[0].mended)

/** Whatever can be wrong: too much, too little, a count without rows, rows without a count. */
async function spoil(): Promise<void> {
  await pool.query(`update events_internal.event_rollup_hourly set n = n + 5 where event_type = 'A'`)
  await pool.query(`delete from events_internal.event_rollup_hourly where event_type = 'B'`)
  await pool.query(`insert into events_internal.event_rollup_hourly values ('${DAY} 09:00Z', 'Ghost', 3, 2)`)
}

describe('verify_rollups and rebuild_rollups', () => {
  it('name the hours and types that differ, and mend them once', async () => {
    await load('A', 1, 3)
    await load('B', 2, 4)
    expect(await verify()).toEqual([])
    await spoil()
    expect(await verify()).toEqual([
      ['10 08', 'A', 8, 3],
      ['10 08', 'B', 0, 4],
      ['10 09', 'Ghost', 2, 0],
    ])
    expect([await rebuild(), await rebuild()]).toEqual([3, 0])
    expect(await verify()).toEqual([])
    expect(await rollupDifferences(pool)).toEqual([])
  })

  it('take the hours that overlap the range, whole', async () => {
    await load('A', 1, 3, 8)
    await load('A', 1, 3, 9)
    await pool.query('update events_internal.event_rollup_hourly set n = n + 1')
    expect(await verify(`${DAY} 08:59Z`, `${DAY} 09:00Z`)).toEqual([['10 08', 'A', 4, 3]])
    expect(await rebuild(`${DAY} 09:00Z`, `${DAY} 09:00:00.000001Z`)).toBe(1)
    expect(await verify()).toEqual([['10 08', 'A', 4, 3]])
  })

  it('leave the counts of days alone whose rows are dropped', async () => {
    await pool.query(`insert into events_internal.event_rollup_hourly values ('2020-01-01 10:00Z', 'A', 1, 7)`)
    expect(await verify('2019-01-01', '2026-11-13')).toEqual([])
    expect(await rebuild('2019-01-01', '2026-11-13')).toBe(0)
    const { rows } = await pool.query('select n from events_internal.event_rollup_hourly')
    expect(rows).toEqual([{ n: '7' }])
  })

  it('neither lose nor double what loads, direct inserts and deletions do meanwhile, nor what another rebuild mends', async () => {
    await load('A', 1, 50)
    await load('B', 2, 50)
    await spoil()
    const loads = [1, 2, 3].map(async (shard) => {
      for (let n = 0; n < 25; n++) await load(['A', 'B', 'C'][(n + shard) % 3]!, shard, 20, 7 + (n % 3))
    })
    const insertsAndDeletions = (async () => {
      for (let n = 0; n < 25; n++) {
        await pool.query(
          `insert into public.platform_events (event_type, created_at) values ('A', '${DAY} 08:30Z'), ('D', '${DAY} 09:30Z')`,
        )
        await pool.query(
          `delete from public.platform_events where id in (select id from public.platform_events where event_type = 'B' limit 3)`,
        )
      }
    })()
    let writing = true
    const rebuilds = [1, 2].map(async () => {
      let mended = 0
      while (writing) mended += await rebuild()
      return mended
    })
    await Promise.all([...loads, insertsAndDeletions])
    writing = false
    const mended = await Promise.all(rebuilds)
    // What was spoilt is mended by one of them once, and whatever else they saw was right.
    expect(mended[0]! + mended[1]!).toBe(3)
    expect(await verify()).toEqual([])
    expect(await rollupDifferences(pool)).toEqual([])
  })

  it('let one rebuild wait for another, which would mend the same once more', async () => {
    await load('A', 1, 3)
    await spoil()
    const first = await pool.connect()
    try {
      await first.query('begin')
      await first.query(`select public.rebuild_rollups('${DAY}', '2026-11-13')`)
      const second = rebuild()
      await vi.waitFor(async () => {
        const { rows } = await pool.query(`select from pg_locks where locktype = 'advisory' and not granted`)
        expect(rows).toHaveLength(1)
      })
      await first.query('commit')
      expect(await second).toBe(0)
    } finally {
      first.release()
    }
    expect(await verify()).toEqual([])
  })

  it('refuse a snapshot from before the lock, a range that ends before it begins, and strangers', async () => {
    const ask = (sql: string) =>
      inTransaction(pool, async (client) => {
        for (const statement of sql.split(';')) await client.query(statement)
      })
    await expect(
      ask(`set transaction isolation level repeatable read; select rebuild_rollups('2026-11-10', '2026-11-11')`),
    ).rejects.toMatchObject({ code: '25000' })
    await expect(ask(`select verify_rollups('2026-11-11', '2026-11-10')`)).rejects.toMatchObject({ code: '22023' })
    for (const role of ['events_reader', 'authenticated', 'service_role'])
      for (const call of ['verify_rollups', 'rebuild_rollups'])
        await expect(
          ask(`set local role ${role}; select ${call}('2026-11-10', '2026-11-11')`),
          role,
        ).rejects.toMatchObject({ code: '42501' })
    await ask(`set local role events_operator; select rebuild_rollups('2026-11-10', '2026-11-11')`)
  })
})
