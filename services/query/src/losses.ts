import { RequestError } from '@platform-events/contracts'
import type { Pool, PoolClient } from '@platform-events/postgres'
import { z } from 'zod'
import { by, flag, note, type Operator, signed } from './operators.ts'
import { parse } from './parse.ts'
import { readOnly, readWrite } from './read-only.ts'

export const lossesQuery = z.strictObject({ all: flag.optional() })

export const acknowledgement = z.strictObject({ note: note.optional(), by: by.optional() })

/** A gap between what was stored and what the log still has. */
export interface LossEvent {
  loss_id: number
  log_id: string
  topic: string
  topic_partition: number
  reason: 'overtaken' | 'past_end' | 'log_replaced'
  stored_offset: number
  resumed_offset: number | null
  new_log_id: string | null
  /** Records, not events; null: unknown. */
  records_lost: number | null
  detected_at: string
  acknowledged_at: string | null
  acknowledged_by: string | null
  note: string | null
}

/**
 * Loss events, newest first, 500 at most: those that wait for an operator, with `all` the others too.
 *
 * @throws RequestError invalid_query, database_unavailable, query_timeout
 */
export async function listLosses(pool: Pool, query: unknown): Promise<{ losses: LossEvent[] }> {
  const { all = false } = parse(lossesQuery, query)
  const { rows } = await readOnly(pool, (client) => client.query<LossRow>(SELECT_LOSSES, [null, all]))
  return { losses: rows.map(toLoss) }
}

/**
 * Says that an operator has seen a loss event. `acknowledged` is false where somebody had said so before: the first stays.
 *
 * @throws RequestError not_found, invalid_query, database_unavailable, query_timeout
 */
export async function acknowledgeLoss(
  pool: Pool,
  id: number,
  body: unknown,
  operator: Operator,
): Promise<{ acknowledged: boolean; loss: LossEvent }> {
  const asked = parse(acknowledgement, body)
  return await readWrite(pool, async (client) => {
    const who = await signed(client, operator, asked.by)
    const { rows } = await client.query<{ done: boolean }>(ACKNOWLEDGE, [id, who, asked.note ?? null])
    return { acknowledged: rows[0]!.done, loss: await readLoss(client, id) }
  })
}

async function readLoss(client: PoolClient, id: number): Promise<LossEvent> {
  const { rows } = await client.query<LossRow>(SELECT_LOSSES, [id, true])
  if (rows[0] === undefined) throw new RequestError('not_found', `There is no loss event ${id}.`)
  return toLoss(rows[0])
}

const SELECT_LOSSES = `
select loss_id, log_id, topic, topic_partition, reason, stored_offset, resumed_offset, new_log_id, records_lost,
       detected_at, acknowledged_at, acknowledged_by, note
  from events_internal.loss_events
 where ($1::bigint is null or loss_id = $1) and ($2 or acknowledged_at is null)
 order by loss_id desc
 limit 500`

const ACKNOWLEDGE = 'select events_internal.acknowledge_loss($1, $2, $3) as done'

/** As node-postgres reads it: int8 as text. */
interface LossRow
  extends Omit<
    LossEvent,
    'loss_id' | 'stored_offset' | 'resumed_offset' | 'records_lost' | 'detected_at' | 'acknowledged_at'
  > {
  loss_id: string
  stored_offset: string
  resumed_offset: string | null
  records_lost: string | null
  detected_at: Date
  acknowledged_at: Date | null
}

function toLoss(row: LossRow): LossEvent {
  return {
    ...row,
    loss_id: Number(row.loss_id),
    stored_offset: Number(row.stored_offset),
    resumed_offset: row.resumed_offset === null ? null : Number(row.resumed_offset),
    records_lost: row.records_lost === null ? null : Number(row.records_lost),
    detected_at: row.detected_at.toISOString(),
    acknowledged_at: row.acknowledged_at?.toISOString() ?? null,
  }
}
