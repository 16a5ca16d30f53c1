import type { Pool } from '@platform-events/postgres'
import type { Diagnosis, Finding, Names } from './finding.ts'

/** What the marketplace module must not forget: tables with somebody's data, and work by the clock. Nothing where it is absent. */
export async function checkDuties(pool: Pool, names: Names): Promise<Diagnosis> {
  const diagnosis: Diagnosis = { looked: {}, findings: [] }
  if (names.functions.has('marketplace_internal.unregistered_personal_tables')) {
    const { rows } = await pool.query<{ relation: string; because: string; mend: string }>(
      'select * from marketplace_internal.unregistered_personal_tables()',
    )
    diagnosis.looked['registry of personal data'] = 1
    diagnosis.findings.push(...rows.map(unregistered))
  }
  if (names.functions.has('marketplace_internal.job_states')) {
    const { rows } = await pool.query<{
      job: string
      overdue: boolean
      last_good: Date | null
      last_error: string | null
    }>('select job, overdue, last_good, last_error from marketplace_internal.job_states()')
    diagnosis.looked['jobs'] = rows.length
    diagnosis.findings.push(...rows.filter(({ overdue }) => overdue).map(overdueJob))
  }
  return diagnosis
}

function unregistered(row: { relation: string; because: string; mend: string }): Finding {
  return { level: 'error', what: `${row.relation} ${row.because}`, mend: row.mend }
}

function overdueJob({
  job,
  last_good,
  last_error,
}: {
  job: string
  last_good: Date | null
  last_error: string | null
}): Finding {
  const since = last_good === null ? 'has never run well' : `has not run well since ${last_good.toISOString()}`
  return {
    level: 'error',
    what: `the job ${job} is overdue: it ${since}${last_error === null ? '' : ` (${last_error})`}`,
    mend: `start the marketplace service, or once: select marketplace_internal.run_job('${job}');`,
  }
}
