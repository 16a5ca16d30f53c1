import type { Day } from './day.ts'
import type { RetentionSession } from './session.ts'

/** Days of [from, to] that have no partition. */
export async function missingDays(session: RetentionSession, from: Day, to: Day): Promise<Day[]> {
  const found = await session.client.query<{ day: Day }>(
    `select day::text from events_internal.missing_days($1::date, $2::date) as day`,
    [from, to],
  )
  return found.rows.map((row) => row.day)
}

/** Makes and attaches the partition of a day; finishes or undoes what a kill left half-made of it. One transaction. */
export async function makeDay(session: RetentionSession, day: Day): Promise<void> {
  await session.client.query(`select events_internal.create_day($1::date)`, [day])
}
