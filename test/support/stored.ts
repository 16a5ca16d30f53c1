import { createPool, type Pool } from '@platform-events/postgres'
import { expect, vi } from 'vitest'

export function connect(databaseUrl: string): Pool {
  return createPool({ connectionString: databaseUrl, applicationName: 'test', max: 2 })
}

/** Waits until all events of a run (`properties.run`) are stored, and then expects each of them once and the rollup equal to the rows. */
export async function expectStoredOnce(pool: Pool, run: string, events: number): Promise<void> {
  await vi.waitFor(async () => expect((await stored(pool, run)).distinct).toBe(events), {
    timeout: 60_000,
    interval: 200,
  })
  expect(await stored(pool, run)).toEqual({ rows: events, distinct: events, numbers: events })
  expect(await rollupDifferences(pool)).toEqual([])
}

async function stored(pool: Pool, run: string): Promise<{ rows: number; distinct: number; numbers: number }> {
  const { rows } = await pool.query<{ rows: number; distinct: number; numbers: number }>(
    `select count(*)::int as rows, count(distinct id)::int as distinct, count(distinct properties -> 'n')::int as numbers
     from public.platform_events where properties ->> 'run' = $1`,
    [run],
  )
  return rows[0]!
}

/** The hourly rollup against the raw rows: the hours and types in which they differ. */
export async function rollupDifferences(pool: Pool): Promise<unknown[]> {
  const { rows } = await pool.query(
    `select hour, event_type, raw.n as raw, rollup.n as rollup
     from (select date_trunc('hour', created_at, 'UTC') as hour, event_type, count(*) as n
           from public.platform_events group by 1, 2) raw
     full join (select hour, event_type, sum(n) as n
                from events_internal.event_rollup_hourly group by 1, 2 having sum(n) <> 0) rollup using (hour, event_type)
     where raw.n is distinct from rollup.n`,
  )
  return rows
}
