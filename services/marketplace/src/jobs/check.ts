import type { Pool } from '@platform-events/postgres'
import type { PartHealth } from '@platform-events/runtime'

/** The jobs that are overdue, whoever was to run them, with their last error. */
export async function checkJobs(pool: Pool): Promise<PartHealth> {
  const { rows } = await pool.query<{ job: string; last_good: Date | null; last_error: string | null }>(
    'select job, last_good, last_error from marketplace_internal.job_states() where overdue order by job',
  )
  if (rows.length === 0) return { ok: true }
  const overdue = rows.map(({ job, last_good, last_error }) => {
    const since = last_good === null ? 'never ran well' : `last ran well at ${last_good.toISOString()}`
    return `${job} is overdue, ${since}${last_error === null ? '' : ` (${last_error})`}`
  })
  return { ok: true, degraded: true, detail: overdue.join('; ') }
}
