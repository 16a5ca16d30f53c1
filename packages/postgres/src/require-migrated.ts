import type { Pool } from 'pg'
import { MigrationError } from './migrate.ts'
import { sqlstateOf } from './sqlstate.ts'

/**
 * For a service that does not migrate: finds out at its start that nobody has. A Postgres that is away passes: the service waits
 * for it as it does at any other time.
 *
 * @throws MigrationError that says what to run
 */
export async function requireMigrated(pool: Pool): Promise<void> {
  try {
    await pool.query('select from events_internal.schema_migrations limit 1')
  } catch (cause) {
    if (!NOT_THERE.has(sqlstateOf(cause) ?? '')) return
    throw new MigrationError('This database has not been migrated. Run once: npx platform-events migrate', { cause })
  }
}

/** undefined_table, invalid_schema_name. */
const NOT_THERE = new Set(['42P01', '3F000'])
