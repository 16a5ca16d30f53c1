import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@platform-events/runtime'
import type { Pool } from 'pg'
import { MigrationError } from './migration-files.ts'
import { MIGRATION_LOCK } from './migration-session.ts'
import { isRefusal, PostgresRefusedError } from './refused.ts'
import { sqlstateOf } from './sqlstate.ts'

/** No answer for so long: Postgres is away, and the service starts without it. */
const ANSWER_MS = 2000

/** Services and the migration may be started at the same moment. */
const GRACE_MS = 10_000

/**
 * For a service that does not migrate: finds out at its start that nobody has. It waits as long as another process is at it, and a
 * moment for one to begin. A Postgres that is away passes: the service waits for it as it does at any other time.
 *
 * @throws MigrationError that says what to run
 * @throws PostgresRefusedError
 */
export async function requireMigrated(pool: Pool, logger: Logger, graceMs = GRACE_MS): Promise<void> {
  let deadline = performance.now() + graceMs
  for (let told = false; ; told = true) {
    const found = await Promise.race([look(pool), sleep(ANSWER_MS, 'away' as const)])
    if (found === 'migrated' || found === 'away') return
    if (found === 'migrating') deadline = performance.now() + graceMs
    else if (performance.now() >= deadline) throw new MigrationError(NOT_MIGRATED)
    if (!told) logger.warn(`${NOT_MIGRATED} Waiting for it`)
    await sleep(LOOK_EVERY_MS)
  }
}

const NOT_MIGRATED = 'This database has not been migrated. Run once: npx platform-events migrate'

const LOOK_EVERY_MS = 200

async function look(pool: Pool): Promise<'migrated' | 'migrating' | 'absent' | 'away'> {
  try {
    await pool.query('select from events_internal.schema_migrations limit 1')
    return 'migrated'
  } catch (error) {
    if (isRefusal(error)) throw new PostgresRefusedError(error)
    if (!NOT_THERE.has(sqlstateOf(error) ?? '')) return 'away'
  }
  return await pool.query(MIGRATION_LOCK).then(
    ({ rowCount }) => (rowCount === 0 ? 'absent' : 'migrating'),
    () => 'away',
  )
}

/** undefined_table, invalid_schema_name. */
const NOT_THERE = new Set(['42P01', '3F000'])
