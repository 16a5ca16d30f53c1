import type { AcceptedCount } from '@platform-events/event-log'
import { inTransaction, type Pool, type PoolClient } from '@platform-events/postgres'
import type { ReceivedNews } from './received-counts.ts'

/** What a collector tells the ledger. All counts are whole counts, so a report may come twice. */
export interface DeliveryReport extends ReceivedNews {
  accepted: AcceptedCount[]
  spool: SpoolReport | null
}

export interface SpoolReport {
  spool_id: string
  host: string
  events: number
  bytes: number
}

// Greatest, because a report whose answer was lost may come after the next one. Keys sorted, or two collectors deadlock.
const SAVE = `
  with counts as (
    insert into events_internal.delivery_counts as c (day, source_id, collector_id, topic_partition, accepted, repeated)
    select day, source_id, collector_id, -1, sum(accepted), sum(repeated)
    from (
      select day, source_id, collector_id, accepted, 0 as repeated
      from json_to_recordset($1) as a (day date, source_id smallint, collector_id uuid, accepted bigint)
      union all
      select day, source_id, collector_id, 0, repeated
      from json_to_recordset($2) as r (day date, source_id smallint, collector_id uuid, repeated bigint)
    ) told
    group by day, source_id, collector_id
    order by day, source_id, collector_id
    on conflict (day, source_id, collector_id, topic_partition) do update
      set accepted = greatest(c.accepted, excluded.accepted), repeated = greatest(c.repeated, excluded.repeated)
  ), rejections as (
    insert into events_internal.rejected_counts as c (day, source_id, collector_id, code, n)
    select day, source_id, collector_id, code, n
    from json_to_recordset($3) as r (day date, source_id smallint, collector_id uuid, code text, n bigint)
    order by day, source_id, collector_id, code collate "C"
    on conflict (day, source_id, collector_id, code) do update set n = greatest(c.n, excluded.n)
  ), numbers as (
    insert into events_internal.rejected_numbers (stream, seq, source_id, day)
    select stream, seq, source_id, day
    from json_to_recordset($4) as r (stream uuid, seq int, source_id smallint, day date)
    order by stream, seq
    on conflict do nothing
  )
  insert into events_internal.spools as s (spool_id, host, events, bytes)
  select spool_id, host, events, bytes
  from json_to_recordset($5) as r (spool_id text, host text, events bigint, bytes bigint)
  on conflict (spool_id) do update
    set host = excluded.host, events = excluded.events, bytes = excluded.bytes, reported_at = now()`

const SILENCE_MS = 5000

/** Puts a report into Postgres, all of it or nothing. */
export async function saveDeliveryReport(pool: Pool, report: DeliveryReport): Promise<void> {
  const { accepted, repeated, rejected, numbers, spool } = report
  const values = [accepted, repeated, rejected, numbers, spool === null ? [] : [spool]]
  const save = (client: PoolClient) =>
    client.query(
      SAVE,
      values.map((rows) => JSON.stringify(rows)),
    )
  // A Postgres that says nothing must not keep one connection of the pool after another.
  await inTransaction(pool, save, { silenceMs: SILENCE_MS })
}
