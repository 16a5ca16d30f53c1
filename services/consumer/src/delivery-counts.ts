import type { PoolClient } from '@platform-events/postgres'
import type { DeadLine, EventRow, RowOrigin } from './event-row.ts'
import type { PreparedBatch, QuarantinedRow } from './prepared-batch.ts'

/** Stands for the collector of events that none numbered. */
const NOBODY = '00000000-0000-0000-0000-000000000000'

// Locked by nobody else: the offset of the topic partition is ours.
const READ_REACHED = `
  select day::text, source_id, collector_id, topic_partition, reached
  from events_internal.delivery_counts
  where (day, source_id, collector_id, topic_partition) in (select * from unnest($1::date[], $2::smallint[], $3::uuid[], $4::int[]))`

const ADD_COUNTS = `
  insert into events_internal.delivery_counts as c
    (day, source_id, collector_id, topic_partition, accepted, reached, stored, duplicate, dead, quarantined, resent)
  select coalesce(day, (now() at time zone 'UTC')::date), source_id, collector_id, topic_partition, sum(accepted), sum(reached),
    sum(stored), sum(duplicate), sum(dead), sum(quarantined), sum(resent)
  from unnest($1::date[], $2::smallint[], $3::uuid[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
    $10::bigint[], $11::bigint[])
    as n (day, source_id, collector_id, topic_partition, accepted, reached, stored, duplicate, dead, quarantined, resent)
  group by 1, 2, 3, 4
  order by 1, 2, 3, 4
  on conflict (day, source_id, collector_id, topic_partition) do update set
    accepted = case when c.collector_id = '${NOBODY}' then c.accepted + excluded.accepted
                    else greatest(c.accepted, excluded.accepted) end,
    reached = greatest(c.reached, excluded.reached),
    stored = c.stored + excluded.stored, duplicate = c.duplicate + excluded.duplicate, dead = c.dead + excluded.dead,
    quarantined = c.quarantined + excluded.quarantined, resent = c.resent + excluded.resent`

/** What became of the events of batches. */
export interface Delivered {
  stored: EventRow[]
  dead: DeadLine[]
  /** Those that were not in quarantine before. */
  quarantined: QuarantinedRow[]
}

/**
 * Counts for the ledger what became of the events, and up to which number each collector's were accepted. A record whose number
 * was reached before is in the log twice (an answer of Kafka was lost): its duplicates were accepted once and are `resent`. Should
 * anything in it be new all the same, it counts as an event that no collector numbered: more can never be settled than was accepted.
 */
export async function countDelivery(client: PoolClient, batches: PreparedBatch[], delivered: Delivered): Promise<void> {
  const tallies = tally(batches, delivered)
  const reached = await readReached(client, tallies)
  const counts = new Map<string, DeliveryCount>()
  for (const { origin, events, stored, dead, quarantined } of tallies) {
    const count = countOf(counts, origin, origin.collectorId)
    const duplicate = events - stored - dead - quarantined
    const isResent = origin.collectorId !== null && origin.accepted <= (reached.get(count.key) ?? 0)
    if (isResent) count.resent += duplicate
    const settled = isResent ? countOf(counts, origin, null) : count
    if (!isResent) settled.duplicate += duplicate
    settled.stored += stored
    settled.dead += dead
    settled.quarantined += quarantined
    if (settled.collectorId === NOBODY) settled.accepted += isResent ? stored + dead + quarantined : events
    else {
      settled.accepted = Math.max(settled.accepted, origin.acceptedBefore)
      settled.reached = origin.accepted
      reached.set(count.key, origin.accepted)
    }
  }
  const all = [...counts.values()]
  if (all.length === 0) return
  await client.query(ADD_COUNTS, [
    ...keysOf(all),
    all.map(({ accepted }) => accepted),
    all.map(({ reached }) => reached),
    all.map(({ stored }) => stored),
    all.map(({ duplicate }) => duplicate),
    all.map(({ dead }) => dead),
    all.map(({ quarantined }) => quarantined),
    all.map(({ resent }) => resent),
  ])
}

interface Tally {
  origin: RowOrigin
  events: number
  stored: number
  dead: number
  quarantined: number
}

interface DeliveryCount extends Omit<Tally, 'origin' | 'events'> {
  key: string
  /** YYYY-MM-DD; null: the day of the load. */
  day: string | null
  sourceId: number
  collectorId: string
  partition: number
  accepted: number
  reached: number
  duplicate: number
  resent: number
}

/** By record, in the order of the log. */
function tally(batches: PreparedBatch[], { stored, dead, quarantined }: Delivered): Tally[] {
  const tallies = new Map<RowOrigin, Tally>()
  let last: Tally | undefined
  const of = (origin: RowOrigin): Tally => {
    if (last?.origin === origin) return last
    last = tallies.get(origin)
    if (last === undefined) {
      last = { origin, events: 0, stored: 0, dead: 0, quarantined: 0 }
      tallies.set(origin, last)
    }
    return last
  }
  for (const prepared of batches) {
    for (const { origin } of prepared.rows) of(origin).events++
    for (const { origin } of prepared.rowsById) of(origin).events++
    for (const { row } of prepared.quarantined) of(row.origin).events++
    for (const { origin } of prepared.dead) of(origin).events++
  }
  for (const { origin } of stored) of(origin).stored++
  for (const { origin } of dead) of(origin).dead++
  for (const { row } of quarantined) of(row.origin).quarantined++
  return [...tallies.values()].sort((a, b) => a.origin.offset - b.origin.offset)
}

async function readReached(client: PoolClient, tallies: Tally[]): Promise<Map<string, number>> {
  const keys = new Map<string, DeliveryCount>()
  for (const { origin } of tallies) if (origin.collectorId !== null) countOf(keys, origin, origin.collectorId)
  if (keys.size === 0) return new Map()
  const { rows } = await client.query<ReachedRow>(READ_REACHED, keysOf([...keys.values()]))
  return new Map(
    rows.map((row) => [keyOf(row.day, row.source_id, row.collector_id, row.topic_partition), Number(row.reached)]),
  )
}

interface ReachedRow {
  day: string
  source_id: number
  collector_id: string
  topic_partition: number
  reached: string
}

function countOf(counts: Map<string, DeliveryCount>, origin: RowOrigin, collector: string | null): DeliveryCount {
  const collectorId = collector ?? NOBODY
  const { sourceId, receivedDay: day } = origin
  const { partition } = origin.topicPartition
  const key = keyOf(day, sourceId, collectorId, partition)
  let count = counts.get(key)
  if (count === undefined) {
    const none = { accepted: 0, reached: 0, stored: 0, duplicate: 0, dead: 0, quarantined: 0, resent: 0 }
    count = { key, day, sourceId, collectorId, partition, ...none }
    counts.set(key, count)
  }
  return count
}

function keysOf(counts: DeliveryCount[]): unknown[] {
  return [
    counts.map(({ day }) => day),
    counts.map(({ sourceId }) => sourceId),
    counts.map(({ collectorId }) => collectorId),
    counts.map(({ partition }) => partition),
  ]
}

function keyOf(day: string | null, sourceId: number, collectorId: string, partition: number): string {
  return `${day} ${sourceId} ${collectorId} ${partition}`
}
