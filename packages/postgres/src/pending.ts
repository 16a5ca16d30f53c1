import { fileURLToPath } from 'node:url'
import type { Pool } from 'pg'
import { readMigrations } from './migration-files.ts'

const DIRECTORY = fileURLToPath(new URL('../../../migrations/', import.meta.url))

/**
 * Names of the migration files that a database lacks; undefined where none was ever applied.
 *
 * @param part the analytics core, or the marketplace module
 */
export async function pendingMigrations(pool: Pool, part: 'core' | 'marketplace'): Promise<string[] | undefined> {
  const schema = part === 'core' ? 'events_internal' : 'marketplace_internal'
  const ledger = `${schema}.schema_migrations`
  const { rows } = await pool.query<{ there: boolean }>('select to_regclass($1) is not null as there', [ledger])
  if (!rows[0]!.there) return undefined
  const applied = await pool.query<{ name: string }>(`select name from ${ledger}`)
  if (applied.rows.length === 0) return undefined
  const names = new Set(applied.rows.map(({ name }) => name))
  const files = await readMigrations(part === 'core' ? DIRECTORY : `${DIRECTORY}marketplace/`)
  return files.map(({ name }) => name).filter((name) => !names.has(name))
}
