import { setTimeout as sleep } from 'node:timers/promises'
import type { Component, Logger } from '@platform-events/runtime'
import type { Pool } from 'pg'
import { requireMigrated } from './require-migrated.ts'

/** A statement that still runs then ends with the process. */
const CLOSE_MS = 500

/** Closes the pool. It would wait for who holds a connection, and for 10 s where one is being made to a host that says nothing. */
export async function closePool(pool: Pool): Promise<void> {
  await Promise.race([pool.end(), sleep(CLOSE_MS, undefined, { ref: false })])
}

/**
 * The pool as the first part of a service that does not migrate. Its start tells a wrong setting, but does not wait for a Postgres that
 * is away: the other parts do that, as at any other time, and say so in /readyz.
 */
export function postgresComponent(pool: Pool, logger: Logger): Component {
  return {
    name: 'postgres',
    start: () => requireMigrated(pool, logger),
    stop: () => closePool(pool),
  }
}
