import type { RecordBatch, TopicPartition } from '@platform-events/event-log'
import type { Pool, PoolClient } from '@platform-events/postgres'

const READ_OFFSET = `
  select next_offset from events_internal.consumer_offsets
  where log_id = $1 and topic = $2 and topic_partition = $3`

const ENTER_OFFSETS = `
  insert into events_internal.consumer_offsets (log_id, topic, topic_partition, next_offset)
  select log_id, topic, topic_partition, 0
  from unnest($1::text[], $2::text[], $3::int[]) as wanted (log_id, topic, topic_partition)
  order by log_id collate "C", topic collate "C", topic_partition
  on conflict do nothing`

const LOCK_OFFSETS = `
  select log_id, topic, topic_partition, next_offset
  from events_internal.consumer_offsets
  where (log_id, topic, topic_partition) in (select * from unnest($1::text[], $2::text[], $3::int[]))
  order by log_id collate "C", topic collate "C", topic_partition
  for no key update`

const ADVANCE_OFFSETS = `
  update events_internal.consumer_offsets as stored set next_offset = reached.next_offset, updated_at = now()
  from unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) as reached (log_id, topic, topic_partition, next_offset)
  where stored.log_id = reached.log_id and stored.topic = reached.topic
    and stored.topic_partition = reached.topic_partition`

/** The stored next offset; null where nothing is stored. */
export async function readOffset(pool: Pool, topicPartition: TopicPartition): Promise<number | null> {
  const { logId, topic, partition } = topicPartition
  const { rows } = await pool.query<{ next_offset: string }>(READ_OFFSET, [logId, topic, partition])
  return rows[0] === undefined ? null : Number(rows[0].next_offset)
}

/**
 * Locks the offsets of batches, in the order of their keys, and compares them with what each batch follows on from.
 * First in the transaction: a loser waits here, before it has copied anything (after: false duplicates and deadlocks).
 *
 * @returns the stored offsets of the batches that somebody else got ahead of; empty: all may be stored
 */
export async function lockOffsets(client: PoolClient, batches: RecordBatch[]): Promise<Map<RecordBatch, number>> {
  // Nothing stored yet counts as 0, so that of two who begin at once one finds the other's offset.
  const unstored = batches.filter(({ storedOffset }) => storedOffset === null || storedOffset === 0)
  if (unstored.length > 0) await client.query(ENTER_OFFSETS, keysOf(unstored))
  const { rows } = await client.query<StoredOffset>(LOCK_OFFSETS, keysOf(batches))
  const stored = new Map(
    rows.map((row) => [nameOf(row.log_id, row.topic, row.topic_partition), Number(row.next_offset)]),
  )
  const fenced = new Map<RecordBatch, number>()
  for (const batch of batches) {
    const { logId, topic, partition } = batch.topicPartition
    const found = stored.get(nameOf(logId, topic, partition)) ?? 0
    if (found !== (batch.storedOffset ?? 0)) fenced.set(batch, found)
  }
  return fenced
}

/** Moves the offsets, locked before, behind the batches. */
export async function advanceOffsets(client: PoolClient, batches: RecordBatch[]): Promise<void> {
  const nextOffsets = batches.map(({ nextOffset }) => nextOffset)
  const { rowCount } = await client.query(ADVANCE_OFFSETS, [...keysOf(batches), nextOffsets])
  if (rowCount !== batches.length) throw new Error(`advanced ${rowCount} of ${batches.length} offsets`)
}

interface StoredOffset {
  log_id: string
  topic: string
  topic_partition: number
  next_offset: string
}

function keysOf(batches: RecordBatch[]): unknown[] {
  return [
    batches.map(({ topicPartition }) => topicPartition.logId),
    batches.map(({ topicPartition }) => topicPartition.topic),
    batches.map(({ topicPartition }) => topicPartition.partition),
  ]
}

function nameOf(logId: string, topic: string, partition: number): string {
  return JSON.stringify([logId, topic, partition])
}
