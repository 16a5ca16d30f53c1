import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asCaller } from '../support/callers.ts'
import { ledgerFaults, ledgerSums } from '../support/ledger.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { rollupDifferences } from '../support/stored.ts'

let database: TestDatabase
const query = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows
const DAY_MS = 86_400_000
const dayOf = (daysAgo: number) => new Date(Date.now() - daysAgo * DAY_MS).toISOString().slice(0, 10)

beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(async () => {
  await database.drop()
})

describe('rows that come by SQL', () => {
  afterEach(async () => {
    expect(await ledgerFaults(database.pool)).toEqual([])
    expect(await rollupDifferences(database.pool)).toEqual([])
  })

  it('are counted once, whatever the statement, and only if they stay', async () => {
    const guest = (sql: string) => asCaller(database.pool, { role: 'anon' }, (ask) => ask(sql))
    const insert = 'insert into public.platform_events (event_type)'
    await guest(`${insert} select 'A' from generate_series(1, 5)`)
    await guest(`with a as (${insert} values ('B') returning 1) ${insert} values ('C'), ('D')`)
    await guest(`insert into public.platform_events (id, event_type, created_at)
      select '10000000-0000-4000-8000-00000000000a', 'E', date_trunc('hour', now()) from generate_series(1, 3) on conflict do nothing`)
    await query(`do $$ begin
      ${insert} values ('F');
      begin ${insert} values ('G'), ('H'); raise exception 'undo'; exception when raise_exception then null; end;
      ${insert} values ('I');
    end $$`)
    expect(await ledgerSums(database.pool)).toMatchObject({ accepted: 11, stored: 11, in_flight: 0 })
  })

  it('count for the day on which they were received, also where they happened long before', async () => {
    await query('select events_internal.create_day($1)', [dayOf(40)])
    await query(
      `insert into public.platform_events (event_type, received_at, created_at)
       values ('A', now() - interval '1 day', now()), ('A', now(), now()), ('A', now(), now() - interval '40 days')`,
    )
    expect(await query('select day::text, stored::int from events_internal.delivery_ledger order by day')).toEqual([
      { day: dayOf(1), stored: 1 },
      { day: dayOf(0), stored: 2 },
    ])
  })

  it('are not counted as a setting says that somebody forged, before or within the statement', async () => {
    await asCaller(database.pool, { role: 'anon' }, async (ask) => {
      for (const value of ['{"2026-01-01": 99}', 'garbage']) {
        await ask(`select set_config('events_internal.direct_rows', $1, false)`, [value])
        await ask(`insert into public.platform_events (event_type)
          select 'A' || left(set_config('events_internal.direct_rows', '{"2026-01-01": 99}', true), 0)`)
      }
      const names = await ask(`select name from pg_settings where name like 'events_internal%'`)
      expect(names.rows).toEqual([])
    })
    expect(await ledgerSums(database.pool)).toMatchObject({ accepted: 2, stored: 2 })
  })

  it('stay delivered when they are deleted, by TRUNCATE too', async () => {
    await query(`insert into public.platform_events (event_type) select 'A' from generate_series(1, 9)`)
    await query(`delete from public.platform_events where id in (select id from public.platform_events limit 4)`)
    expect(await ledgerFaults(database.pool)).toEqual([])
    await query('truncate public.platform_events')
    expect(await ledgerSums(database.pool)).toMatchObject({ stored: 9, in_flight: 0 })
    expect(await query('select deleted::int from events_internal.delivery_ledger')).toEqual([{ deleted: 9 }])
  })

  it('are counted rightly by two transactions at once', async () => {
    const clients = await Promise.all([database.pool.connect(), database.pool.connect()])
    try {
      for (const client of clients) await client.query(`begin; set local lock_timeout = '5s'`)
      for (const type of ['X', 'Y'])
        await Promise.all(
          clients.map((client) => client.query('insert into public.platform_events (event_type) values ($1)', [type])),
        )
      for (const client of clients) await client.query('commit')
    } finally {
      for (const client of clients) client.release(true)
    }
    expect(await ledgerSums(database.pool)).toMatchObject({ accepted: 4, stored: 4 })
  })
})

it('keeps rejections by code', async () => {
  await query(
    `insert into events_internal.rejected_counts values (current_date, 1, $1, 'a', 2), (current_date, 1, $2, 'a', 3), (current_date, 1, $1, 'b', 1)`,
    [randomUUID(), randomUUID()],
  )
  expect(
    await query('select received::int, rejected::int, rejected_by_code from events_internal.delivery_ledger'),
  ).toEqual([{ received: 6, rejected: 6, rejected_by_code: { a: 5, b: 1 } }])
})

describe('missing', () => {
  const stream: string = randomUUID()
  const store = (daysAgo: number, numbers: number[], of = stream) =>
    query(
      `insert into public.platform_events (event_type, created_at, source_id, stream, seq)
       select 'A', $1::date + time '00:00', 0, $2, n from unnest($3::int[]) n`,
      [dayOf(daysAgo), of, numbers],
    )
  const count = async (): Promise<number> => Number((await query('select events_internal.count_missing() as n'))[0].n)
  const line = (seq: number) => JSON.stringify({ stream, seq, properties: { n: '?' } }).replace('"?"', '1e140000')

  it('is a gap that has not closed, the start included, and a duplicate number fills none', async () => {
    await store(1, [2, 3, 3])
    await store(0, [6])
    expect([await count(), await count()]).toEqual([4, 4])
    await store(2, [0])
    await store(1, [1, 5])
    expect(await count()).toBe(1)
    expect(
      await query('select day::text, missing::int from events_internal.delivery_ledger where missing > 0'),
    ).toEqual([{ day: dayOf(0), missing: 1 }])
  })

  it('is no number that is dead, quarantined, rejected or deleted', async () => {
    await store(0, [0, 1, 6])
    await query(
      `insert into events_internal.dead_letters (source_id, log_id, topic, topic_partition, record_offset, line, reason, raw, received_at)
       values (0, 'l', 't', 0, 0, 0, 'refused', convert_to($1, 'UTF8'), now()), (0, 'l', 't', 0, 0, 1, 'x', '\\x00ff', now())`,
      [line(2)],
    )
    await query(
      `insert into events_internal.quarantined_events (source_id, reason, received_at, raw) values (0, 'too_old', now(), convert_to($1, 'UTF8'))`,
      [line(3)],
    )
    await query(`insert into events_internal.rejected_numbers values ($1, 4, 0, $2)`, [stream, dayOf(0)])
    expect(await count()).toBe(1)
    await query('delete from public.platform_events where seq = 1')
    expect(await count()).toBe(1)
    await store(0, [2147483647])
    expect(await count()).toBe(2147483648 - 7)
  })

  it('scans only days with new events, and forgets what is over', async () => {
    await store(1, [0])
    await store(0, [1])
    const counted = () => query('select day::text, counted_at from events_internal.stream_counts order by day')
    await count()
    const before = await counted()
    await store(0, [2])
    await count()
    const after = await counted()
    expect(after[0]).toEqual(before[0])
    expect(after[1].counted_at).not.toEqual(before[1].counted_at)
    await query(`select events_internal.count_missing((now() at time zone 'UTC')::date + 20)`)
    expect(await query('select from events_internal.stream_days')).toEqual([])
  })

  it('does not count the forgotten numbers of a stream that slept for longer than the late window', async () => {
    const bornAt = (daysAgo: number) => {
      const time = (Date.now() - daysAgo * DAY_MS).toString(16).padStart(12, '0')
      return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`
    }
    await store(0, [100, 102], bornAt(30))
    expect(await count()).toBe(1)
    await store(0, [3], bornAt(1))
    expect(await count()).toBe(4)
  })

  it('is what a plain recount finds, in random streams that come in any order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 14 })),
          {
            minLength: 1,
            maxLength: 40,
          },
        ),
        async (events) => {
          await query('delete from public.platform_events')
          await query(
            'truncate events_internal.rejected_numbers, events_internal.stream_counts, events_internal.stream_days',
          )
          // A number has one day: an event and its retries have one created_at.
          const dayOfNumber = new Map<string, number>()
          const streams = new Map<number, Set<number>>()
          const half = events.length >> 1
          for (const part of [events.slice(0, half), events.slice(half)]) {
            for (const [day, name, seq] of part) {
              const key = `${name} ${seq}`
              if (!dayOfNumber.has(key)) dayOfNumber.set(key, day)
              await store(dayOfNumber.get(key)!, [seq], `00000000-0000-4000-8000-00000000000${name}`)
              streams.set(name, (streams.get(name) ?? new Set()).add(seq))
            }
            let expected = 0
            for (const numbers of streams.values())
              for (let seq = 0; seq < Math.max(...numbers); seq++) if (!numbers.has(seq)) expected++
            expect(await count()).toBe(expected)
          }
        },
      ),
      { numRuns: 8 },
    )
  })
})
