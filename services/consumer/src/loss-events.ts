import type { TopicPartition } from '@platform-events/event-log'
import { inTransaction, type Pool } from '@platform-events/postgres'

/** A stored offset that lies outside its log, as the log tells of it. */
export interface OutsideTheLog {
  topicPartition: TopicPartition
  stored: number
  resumedAt: number
}

/** A row of events_internal.loss_events, just written. */
export interface LossEvent {
  lossId: number
  topic: string
  partition: number
  reason: 'overtaken' | 'past_end' | 'log_replaced'
  stored: number
  /** null: unknown. */
  recordsLost: number | null
}

// The offset is moved in the same statement, and only where it still is what was found outside: so the event is written once,
// whatever is killed, whoever else meets it, and a restart finds the offset inside the log. Both times are the transaction's.
const KEEP_LOSS = `
  with moved as (
    update events_internal.consumer_offsets set next_offset = $5, updated_at = now()
    where log_id = $1 and topic = $2 and topic_partition = $3 and next_offset = $4
    returning 1
  )
  insert into events_internal.loss_events
    (log_id, topic, topic_partition, stored_offset, resumed_offset, reason, records_lost)
  select $1, $2, $3, $4::bigint, $5::bigint, $6, $7::bigint from moved
  returning loss_id`

/** Moves a stored offset that lies outside its log, and keeps the loss event. @returns null where somebody else has moved it */
export async function keepLoss(pool: Pool, outside: OutsideTheLog): Promise<LossEvent | null> {
  const { topicPartition, stored, resumedAt } = outside
  const { logId, topic, partition } = topicPartition
  // Past the end nobody can say: what the log lost may have been stored before, or be more than the offsets tell.
  const overtaken = stored < resumedAt
  const reason = overtaken ? 'overtaken' : 'past_end'
  const recordsLost = overtaken ? resumedAt - stored : null
  const values = [logId, topic, partition, stored, resumedAt, reason, recordsLost]
  const { rows } = await pool.query<{ loss_id: string }>(KEEP_LOSS, values)
  return rows[0] === undefined
    ? null
    : { lossId: Number(rows[0].loss_id), topic, partition, reason, stored, recordsLost }
}

// One at a time, so that the topic partitions of a new log, which all ask at once, tell of the former log once. It is told again
// only if it was loaded from since: told.detected_at < former.updated_at.
const ONE_AT_A_TIME = `select pg_advisory_xact_lock(hashtext('events_internal.loss_events'))`

const KEEP_REPLACED = `
  insert into events_internal.loss_events (log_id, topic, topic_partition, stored_offset, reason, new_log_id)
  select former.log_id, former.topic, former.topic_partition, former.next_offset, 'log_replaced', $1
  from events_internal.consumer_offsets as former
  where former.topic = $2 and former.log_id <> $1
    and not exists (
      select from events_internal.consumer_offsets as known where known.log_id = $1 and known.topic = $2
    )
    and not exists (
      select from events_internal.loss_events as told
      where told.log_id = former.log_id and told.topic = former.topic and told.topic_partition = former.topic_partition
        and told.detected_at >= former.updated_at
    )
  order by former.log_id, former.topic_partition
  returning loss_id, topic_partition, stored_offset`

/**
 * Keeps a loss event for each topic partition of former logs of this topic, where this one is new to us. Whether they had been read
 * to their end, nothing here can tell, so every log made anew is told, and an operator looks.
 */
export async function keepReplacedLogs(pool: Pool, topicPartition: TopicPartition): Promise<LossEvent[]> {
  const { logId, topic } = topicPartition
  const { rows } = await inTransaction(pool, async (client) => {
    await client.query(ONE_AT_A_TIME)
    return await client.query<{ loss_id: string; topic_partition: number; stored_offset: string }>(KEEP_REPLACED, [
      logId,
      topic,
    ])
  })
  return rows.map((row) => ({
    lossId: Number(row.loss_id),
    topic,
    partition: row.topic_partition,
    reason: 'log_replaced',
    stored: Number(row.stored_offset),
    recordsLost: null,
  }))
}

const COUNT_OPEN = `
  select count(*)::int as n from events_internal.loss_events where acknowledged_at is null`

/** Loss events that no operator has acknowledged. */
export async function countOpenLosses(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(COUNT_OPEN)
  return rows[0]!.n
}
