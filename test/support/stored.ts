import { createPool, type Pool } from '@platform-events/postgres'

/** What the database holds of the events of one marker (`properties.run`). */
export interface Stored {
  rows: number
  ids: Set<string>
}

/** Reads every stored event whose properties carry this marker. */
export async function storedEvents(pool: Pool, run: string): Promise<Stored> {
  const { rows } = await pool.query<{ id: string }>(
    `select id from public.platform_events where properties ->> 'run' = $1`,
    [run],
  )
  return { rows: rows.length, ids: new Set(rows.map((row) => row.id)) }
}

/** The hourly rollup against the raw rows: empty when they are equal. */
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

export function connect(databaseUrl: string): Pool {
  return createPool({ connectionString: databaseUrl, applicationName: 'test', max: 2 })
}
