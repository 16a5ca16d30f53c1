import type { Pool, PoolClient } from '@platform-events/postgres'
import { type Day, dayOfLeaf } from './day.ts'

/** A table that is, was, or was to be, the partition of a day. */
export interface Partition {
  day: Day
  /** `pending`: a DETACH CONCURRENTLY died half-way; no new query sees the rows, and no other partition can be detached. */
  state: 'attached' | 'pending' | 'detached'
}

/** All of them, oldest first. */
export async function listPartitions(db: Pool | PoolClient): Promise<Partition[]> {
  const found = await db.query<{ name: string; state: Partition['state'] }>(SELECT_PARTITIONS)
  return found.rows.flatMap(({ name, state }) => {
    const day = dayOfLeaf(name)
    return day === null ? [] : [{ day, state }]
  })
}

const SELECT_PARTITIONS = `
select c.relname as name,
       case when i.inhrelid is null then 'detached' when i.inhdetachpending then 'pending' else 'attached' end as state
  from pg_catalog.pg_class c
  left join pg_catalog.pg_inherits i on i.inhrelid = c.oid and i.inhparent = 'public.platform_events'::regclass
 where c.relnamespace = 'events_internal'::regnamespace
   and c.relkind = 'r'
   and c.relname like 'platform\\_events\\_%'
 order by c.relname`
