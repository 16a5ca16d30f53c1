import { type Day, leafName, leafOf } from './day.ts'
import type { RetentionSession } from './session.ts'

/** Building waits for every older transaction, and blocks nobody meanwhile. */
const BUILD_LOCK_TIMEOUT_MS = 60_000

/** Days that were closed before. */
export async function closedDays(session: RetentionSession): Promise<Set<Day>> {
  const found = await session.client.query<{ day: Day }>(`select day::text from events_internal.closed_days`)
  return new Set(found.rows.map((row) => row.day))
}

/**
 * Makes a day that is over fit for reading: the GIN over its properties (which would halve ingest on a hot day), a
 * covering index without the splits of a day's inserts, frozen rows and fresh statistics. Late rows still go in.
 * What an earlier try left invalid is dropped first.
 */
export async function closeDay(session: RetentionSession, day: Day): Promise<void> {
  for (const index of await indexesOf(session, day))
    if (!index.valid && !index.attached)
      await session.run(`drop index concurrently ${index.name}`, BUILD_LOCK_TIMEOUT_MS)
  const indexes = (await indexesOf(session, day)).filter((index) => index.valid)
  if (!indexes.some((index) => index.method === 'gin'))
    await session.run(
      `create index concurrently "${leafOf(day)}_properties_gin" on ${leafName(day)} using gin (properties jsonb_path_ops)`,
      BUILD_LOCK_TIMEOUT_MS,
    )
  for (const index of indexes)
    if (index.covering) await session.run(`reindex index concurrently ${index.name}`, BUILD_LOCK_TIMEOUT_MS)
  await session.run(`vacuum (freeze, analyze) ${leafName(day)}`, BUILD_LOCK_TIMEOUT_MS)
  await session.client.query(
    `insert into events_internal.closed_days (day) values ($1::date) on conflict (day) do update set closed_at = now()`,
    [day],
  )
}

interface LeafIndex {
  /** Qualified and quoted. */
  name: string
  valid: boolean
  /** Belongs to an index of the parent. */
  attached: boolean
  method: string
  /** Has INCLUDE columns. */
  covering: boolean
}

async function indexesOf(session: RetentionSession, day: Day): Promise<LeafIndex[]> {
  return (await session.client.query<LeafIndex>(SELECT_INDEXES, [leafName(day)])).rows
}

const SELECT_INDEXES = `
select format('%I.%I', n.nspname, c.relname) as name, x.indisvalid as valid, c.relispartition as attached,
       a.amname as method, x.indnatts > x.indnkeyatts as covering
  from pg_catalog.pg_index x
  join pg_catalog.pg_class c on c.oid = x.indexrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_am a on a.oid = c.relam
 where x.indrelid = $1::regclass
 order by c.relname`
