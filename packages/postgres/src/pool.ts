import pg from 'pg'

export type { Pool, PoolClient } from 'pg'

export interface PoolOptions {
  connectionString: string
  /** Shown in pg_stat_activity; a successor ends the sessions of its predecessor by this name. At most 63 bytes. */
  applicationName: string
  /** Connections at most; 10 unless told. */
  max?: number
}

/**
 * A pool whose connections may break at any time without ending the process: whoever holds one gets the error from
 * its next query. Connecting gives up after 10 s, so that Postgres away is an error and not a wait.
 */
export function createPool(options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    application_name: options.applicationName,
    max: options.max ?? 10,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  })
  // Without a listener, the loss of an idle connection, or of one between two queries, would be an uncaught exception.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}
