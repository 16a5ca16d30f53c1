import { BEGIN_READING, encodeSegment, SELECT_USABLE_DAYS } from '@platform-events/analytics'
import type { Pool, PoolClient } from '@platform-events/postgres'
import type { Day } from './day.ts'
import { readDay } from './read-day.ts'

/** What a look at a day's segment came to. */
export interface VerifiedSegment {
  day: Day
  /**
   * `same`: made anew from the rows, it has the same bytes. `different`: it has not, and `parts` names what differs. `unused`: there is none
   * that a reader would use. `late`: rows came since, so that it cannot be the same; it is built again within a minute.
   */
  verdict: 'same' | 'different' | 'unused' | 'late'
  /** `body`, or names of properties. */
  parts: string[]
}

/** All segments that readers use, each by itself. */
export async function verifySegments(pool: Pool): Promise<VerifiedSegment[]> {
  const { rows } = await pool.query<{ day: Day }>('select day::text from events_internal.usable_segments order by day')
  const verified: VerifiedSegment[] = []
  for (const { day } of rows) verified.push(await verifySegment(pool, day))
  return verified
}

/** Makes a day's segment anew, in memory, and compares it with the one that is stored, in one snapshot. Changes nothing. */
export async function verifySegment(pool: Pool, day: Day): Promise<VerifiedSegment> {
  const client = await pool.connect()
  try {
    await client.query(`begin; ${BEGIN_READING}`)
    const { rows } = await client.query<Usable>(SELECT_USABLE_DAYS, [day, day])
    const usable = rows[0]
    if (usable === undefined) return { day, verdict: 'unused', parts: [] }
    if (usable.late_rows > 0) return { day, verdict: 'late', parts: [] }
    const parts = await differences(client, day, usable)
    return { day, verdict: parts.length === 0 ? 'same' : 'different', parts }
  } finally {
    // A transaction that read only; a connection that cannot roll back is of no more use.
    await client.query('rollback').then(
      () => client.release(),
      (error: Error) => client.release(error),
    )
  }
}

interface Usable {
  row_count: number
  all_properties: boolean
  late_rows: number
}

async function differences(client: PoolClient, day: Day, usable: Usable): Promise<string[]> {
  const made = await readDay(client, day, usable.row_count)
  const { slice, columns, allProperties } = await made.finish()
  const stored = new Map<string, Buffer | null>()
  const found = await client.query<{ property: string; body: Buffer | null }>(SELECT_COLUMNS, [day])
  for (const { property, body } of found.rows) stored.set(property, body)
  const body = await client.query<{ body: Buffer }>(
    'select body from events_internal.event_segments where day = $1::date',
    [day],
  )

  const parts: string[] = []
  const isSame = body.rows[0]!.body.equals(encodeSegment(slice))
  if (!isSame || slice.rows !== usable.row_count || made.withoutNumber > 0) parts.push('body')
  for (const [property, column] of columns()) {
    const other = stored.get(property)
    if (other === undefined || (column === null ? other !== null : other === null || !other.equals(column)))
      parts.push(property)
    stored.delete(property)
  }
  if (allProperties !== usable.all_properties) parts.push('all_properties')
  return [...parts, ...stored.keys()]
}

const SELECT_COLUMNS = `select property, body from events_internal.event_segment_columns where day = $1::date`
