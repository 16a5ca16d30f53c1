import { inTransaction, type Pool } from '@platform-events/postgres'
import type { Source } from './source.ts'

const SOURCES = `
  select source_id, name, write_key, encode(secret_key_hash, 'hex') as secret_key_hash,
         allowed_origins, user_ids, events_per_second
    from events_internal.event_sources
   where enabled
   order by source_id`

const SILENCE_MS = 5000

interface Row {
  source_id: number
  name: string
  write_key: string
  secret_key_hash: string | null
  allowed_origins: string[]
  user_ids: Source['userIds']
  events_per_second: number | null
}

/** The enabled sources, from Postgres. */
export async function loadSources(pool: Pool): Promise<Source[]> {
  // A Postgres that says nothing must not keep one connection of the pool after another.
  const { rows } = await inTransaction(pool, (client) => client.query<Row>(SOURCES), {
    readOnly: true,
    silenceMs: SILENCE_MS,
  })
  return rows.map((row) => ({
    sourceId: row.source_id,
    name: row.name,
    writeKey: row.write_key,
    secretKeyHash: row.secret_key_hash,
    allowedOrigins: row.allowed_origins,
    userIds: row.user_ids,
    eventsPerSecond: row.events_per_second,
  }))
}
