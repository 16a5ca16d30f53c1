import type { Pool } from '@platform-events/postgres'

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
