import type { TopicPartition } from '@platform-events/event-log'
import { inTransaction, type Pool } from '@platform-events/postgres'
import type { CollectorCount } from './in-flight.ts'

/** Of one moment: where the consumer is in the log, and what the books say. */
export interface LedgerSnapshot {
  counts: CollectorCount[]
  /** What the view has in flight. */
  inFlight: { day: string; source_id: number; in_flight: number }[]
  /** Those that hold something. A collector tells of its spool every half minute at least: silent, it is gone, or its disk. */
  spools: { host: string; events: number; silent: boolean }[]
  offsetOf(topicPartition: TopicPartition): number | null
  /** Whether anything was ever loaded from a log, and from this one. */
  loadedFrom(logId: string): boolean
  /** Loss events that nobody has acknowledged. */
  openLosses: number
}

/** Days are UTC, both inclusive. */
export async function takeSnapshot(pool: Pool, from: string, to: string): Promise<LedgerSnapshot> {
  return await inTransaction(
    pool,
    async (client) => {
      await client.query('set transaction isolation level repeatable read')
      const counts = await client.query<CountRow>(SELECT_COUNTS, [from, to])
      const inFlight = await client.query<{ day: string; source_id: number; in_flight: string }>(SELECT_IN_FLIGHT, [
        from,
        to,
      ])
      const spools = await client.query<{ host: string; events: string; silent: boolean }>(SELECT_SPOOLS)
      const offsets = await client.query<OffsetRow>(SELECT_OFFSETS)
      const losses = await client.query<{ open: number }>(SELECT_LOSSES)
      const byName = new Map(
        offsets.rows.map((row) => [nameOf(row.log_id, row.topic, row.topic_partition), Number(row.next_offset)]),
      )
      return {
        counts: counts.rows.map((row) => ({
          ...row,
          accepted: Number(row.accepted),
          reached: Number(row.reached),
          settled: Number(row.settled),
        })),
        inFlight: inFlight.rows.map((row) => ({ ...row, in_flight: Number(row.in_flight) })),
        spools: spools.rows.map((row) => ({ ...row, events: Number(row.events) })),
        offsetOf: ({ logId, topic, partition }) => byName.get(nameOf(logId, topic, partition)) ?? null,
        loadedFrom: (logId) => offsets.rows.length === 0 || offsets.rows.some(({ log_id }) => log_id === logId),
        openLosses: losses.rows[0]?.open ?? 0,
      }
    },
    { readOnly: true },
  )
}

const SELECT_COUNTS = `
select day::text, source_id, collector_id, topic_partition, accepted, reached, stored + duplicate + dead + quarantined as settled
  from events_internal.delivery_counts
 where day between $1::date and $2::date`

const SELECT_IN_FLIGHT = `
select day::text, source_id, in_flight from events_internal.delivery_ledger where day between $1::date and $2::date`

const SELECT_SPOOLS = `
select host, events, reported_at < now() - interval '2 minutes' as silent from events_internal.spools where events > 0 order by host`

const SELECT_OFFSETS = 'select log_id, topic, topic_partition, next_offset from events_internal.consumer_offsets'

const SELECT_LOSSES = 'select count(*)::int as open from events_internal.loss_events where acknowledged_at is null'

/** As node-postgres reads them: int8 as text. */
interface CountRow extends Omit<CollectorCount, 'accepted' | 'reached' | 'settled'> {
  accepted: string
  reached: string
  settled: string
}

interface OffsetRow {
  log_id: string
  topic: string
  topic_partition: number
  next_offset: string
}

function nameOf(logId: string, topic: string, partition: number): string {
  return JSON.stringify([logId, topic, partition])
}
