import { createHash, randomUUID } from 'node:crypto'
import { migrate, type Pool } from '@platform-events/postgres'

/** What a run needs in a Postgres of its own. */
export interface Prepared {
  writeKey: string
  sourceId: number
  operatorToken: string
}

/** The schema, two weeks of days, a source that trusts the user ids of its clients, and an operator. */
export async function prepareDatabase({ pool, url }: { pool: Pool; url: string }): Promise<Prepared> {
  await migrate(url)
  await pool.query('select events_internal.create_day(current_date + day) from generate_series(-7, 7) as day')
  const [writeKey, operatorToken] = [`pk_${randomUUID()}`, `op_${randomUUID()}`]
  await pool.query('insert into events_internal.operator_tokens (token_hash, name) values ($1, $2)', [
    createHash('sha256').update(operatorToken).digest(),
    'chaos',
  ])
  const { rows } = await pool.query(
    `insert into events_internal.event_sources (name, write_key, user_ids) values ('chaos', $1, 'trust') returning source_id`,
    [writeKey],
  )
  return { writeKey, operatorToken, sourceId: rows[0].source_id }
}
