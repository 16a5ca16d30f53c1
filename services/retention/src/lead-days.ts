import { addDays, dayAt } from './day.ts'
import type { Partition } from './partitions.ts'

/** How many days after today have a partition, without a gap. */
export function leadDays(partitions: Partition[], nowMs: number): number {
  const attached = new Set(partitions.filter(({ state }) => state === 'attached').map(({ day }) => day))
  const today = dayAt(nowMs)
  let days = 0
  while (attached.has(addDays(today, days + 1))) days++
  return days
}
