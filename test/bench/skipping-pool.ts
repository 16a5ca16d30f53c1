import { createPool, type Pool, type PoolClient } from '@platform-events/postgres'

/** A step of the load transaction that a benchmark leaves out, and how its statements are known. */
export type Step = 'offsets' | 'rollup' | 'ledger'

const TABLES: Record<Step, string> = {
  offsets: 'events_internal.consumer_offsets',
  rollup: 'events_internal.event_rollup_hourly',
  ledger: 'events_internal.delivery_counts',
}

export interface SkippingPool {
  pool: Pool
  /** Statements that did not reach Postgres. */
  skipped(): number
}

/**
 * A pool on whose connections the statements of some steps are answered here, as Postgres would, and cost nothing. So the code that is
 * measured is the code that runs, without a switch in it; what it does in this process for those steps stays in.
 */
export function skippingPool(connectionString: string, steps: Step[]): SkippingPool {
  const pool = createPool({ connectionString, applicationName: 'platform-events bench', max: 4 })
  const stored = new Map<string, { log_id: string; topic: string; topic_partition: number; next_offset: string }>()
  let skipped = 0

  function answer(sql: string, values: unknown[]): { rows: unknown[]; rowCount: number } | undefined {
    const step = steps.find((name) => sql.includes(TABLES[name]))
    // With single values it is the stored offset that is asked for at the start.
    if (step === undefined || (step === 'offsets' && !Array.isArray(values[0]))) return undefined
    skipped++
    if (step !== 'offsets') return { rows: [], rowCount: 0 }
    const [logIds, topics, partitions, nextOffsets] = values as [string[], string[], number[], number[]?]
    const keys = logIds.map((logId, at) => JSON.stringify([logId, topics[at], partitions[at]]))
    for (const [at, next] of (nextOffsets ?? []).entries())
      stored.set(keys[at]!, {
        log_id: logIds[at]!,
        topic: topics[at]!,
        topic_partition: partitions[at]!,
        next_offset: String(next),
      })
    return { rows: keys.flatMap((key) => stored.get(key) ?? []), rowCount: keys.length }
  }

  pool.on('connect', (client: PoolClient) => {
    const query = client.query.bind(client) as (...call: unknown[]) => unknown
    const ask = (...call: unknown[]): unknown => {
      const [sql, values] = call
      const answered = typeof sql === 'string' && Array.isArray(values) ? answer(sql, values) : undefined
      return answered === undefined ? query(...call) : Promise.resolve(answered)
    }
    client.query = ask as typeof client.query
  })
  return { pool, skipped: () => skipped }
}
