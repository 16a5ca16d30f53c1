import type { Pool } from '@platform-events/postgres'
import type { PreparedBatch } from './prepared-batch.ts'

const DAY_MICROS = 86_400_000_000

/** Asks for the partition of a UTC day (`2026-11-24`); resolves when it is there. */
export type AskForDay = (day: string) => Promise<void>

/** Has Postgres make the partition, on a connection of its own. */
export function askPostgresForDay(pool: Pool): AskForDay {
  return async (day) => {
    await pool.query('select events_internal.create_day($1)', [day])
  }
}

/** The UTC days of the rows, in order. All of them lie inside the late window: what does not is in quarantine. */
export function daysOf(batches: PreparedBatch[]): string[] {
  const days = new Set<number>()
  for (const prepared of batches) {
    prepared.decodeAll()
    for (const { createdAt } of prepared.rows) days.add(Math.floor(createdAt / DAY_MICROS))
    for (const { createdAt } of prepared.rowsById) days.add(Math.floor(createdAt / DAY_MICROS))
  }
  return [...days].sort((a, b) => a - b).map((day) => new Date(day * 86_400_000).toISOString().slice(0, 10))
}
