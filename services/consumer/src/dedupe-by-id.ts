import type { PoolClient } from '@platform-events/postgres'
import type { EventRow } from './event-row.ts'

const DAY_MICROS = 86_400_000_000

// By the index on id, in the partitions of these days only.
const FIND_BY_ID = `
  select id, (extract(epoch from created_at) * 1000000)::bigint as created_at
  from public.platform_events
  where id = any($1::uuid[]) and created_at >= $2 and created_at <= $3`

/**
 * Leaves out the rows that are stored already, or come earlier among these, under the same id within a day. For rows whose
 * created_at may differ between two sendings: the key (created_at, id) tells all other duplicates.
 */
export async function withoutKnownIds(client: PoolClient, rows: EventRow[]): Promise<EventRow[]> {
  if (rows.length === 0) return rows
  const known = await timesOf(client, rows)
  return rows.filter((row) => {
    const isKnown = known.get(row.id)?.some((createdAt) => Math.abs(createdAt - row.createdAt) <= DAY_MICROS) ?? false
    if (!isKnown) remember(known, row.id, row.createdAt)
    return !isKnown
  })
}

/** The stored times of the rows' ids. */
async function timesOf(client: PoolClient, rows: EventRow[]): Promise<Map<string, number[]>> {
  const times = rows.map((row) => row.createdAt)
  const from = new Date((times.reduce((a, b) => Math.min(a, b)) - DAY_MICROS) / 1000)
  const to = new Date((times.reduce((a, b) => Math.max(a, b)) + DAY_MICROS) / 1000 + 1)
  const found = await client.query<{ id: string; created_at: string }>(FIND_BY_ID, [
    rows.map((row) => row.id),
    from.toISOString(),
    to.toISOString(),
  ])
  const known = new Map<string, number[]>()
  for (const { id, created_at } of found.rows) remember(known, id, Number(created_at))
  return known
}

function remember(known: Map<string, number[]>, id: string, createdAt: number): void {
  const times = known.get(id)
  if (times === undefined) known.set(id, [createdAt])
  else times.push(createdAt)
}
