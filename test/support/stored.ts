import { createPool, type Pool } from '@platform-events/postgres'
import { expect, vi } from 'vitest'
import { rollupDifferences } from './rollup.ts'

export { rollupDifferences }

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
