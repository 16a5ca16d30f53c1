import type { Pool } from '@platform-events/postgres'
import type { PartHealth } from '@platform-events/runtime'
import { addDays, dayAt } from './day.ts'
import { leadDays } from './lead-days.ts'
import { listPartitions } from './partitions.ts'

/** What /readyz says of retention, read from the database and not from memory, so that it is true whoever did the work. */
export async function checkPartitions(options: {
  pool: Pool
  keepDays: number
  nowMs: number
  last: { atMs: number; problems: number } | undefined
}): Promise<PartHealth> {
  const { nowMs, last } = options
  const partitions = await listPartitions(options.pool)
  const attached = new Set(partitions.filter(({ state }) => state === 'attached').map(({ day }) => day))
  const today = dayAt(nowMs)
  const missing = [today, addDays(today, 1)].filter((day) => !attached.has(day))
  const firstTolerated = addDays(today, -options.keepDays - 1)
  const overdue = partitions.filter(({ day }) => day < firstTolerated)

  const reasons: string[] = []
  if (missing.length > 0) reasons.push(`no partition for ${missing.join(', ')}`)
  if (overdue.length > 0) reasons.push(`${overdue.length} days should be dropped by now, the oldest ${overdue[0]!.day}`)
  if (reasons.length > 0) return { ok: false, detail: reasons.join('; ') }
  const ran = last === undefined ? 'not run yet' : `last run ${new Date(last.atMs).toISOString()}`
  const trouble = last === undefined || last.problems === 0 ? '' : `, ${last.problems} steps to try again`
  return { ok: true, detail: `${leadDays(partitions, nowMs)} days ahead, ${ran}${trouble}` }
}
