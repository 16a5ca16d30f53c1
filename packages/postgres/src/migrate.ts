import { fileURLToPath } from 'node:url'
import type { Logger } from '@platform-events/runtime'
import type pg from 'pg'
import { type Migration, MigrationError, readMigrations } from './migration-files.ts'
import { MigrationLedger } from './migration-ledger.ts'
import { runTogether } from './migration-run.ts'
import { asMigrator } from './migration-session.ts'

export interface MigrateOptions {
  /** Of the files `NNNN_name.sql`; the repository's own unless told. */
  directory?: string
  logger?: Logger
  /** How long to wait for another process that migrates; 60 s unless told. */
  waitMs?: number
}

/**
 * Applies the migrations that the database lacks, in order, each in a transaction of its own; the first time all of them in one,
 * so that a table of the platform's that is in use is replaced at one stroke. Any number of processes may call it at
 * once: one works, the others wait. Needs no superuser, but a session (no pooler in transaction mode).
 *
 * @returns the numbers of the files that this call applied
 * @throws MigrationError if a file fails, an applied file was changed, or the database is newer than the files
 */
export async function migrate(
  connection: string | pg.ClientBase,
  options: MigrateOptions = {},
): Promise<{ applied: number[] }> {
  const files = await readMigrations(options.directory ?? DIRECTORY)
  return await asMigrator(connection, options, async (client) => {
    const ledger = new MigrationLedger(client, 'events_internal')
    await ledger.make()
    const pending = pendingOf(files, await ledger.applied(files))
    const isFirst = pending.length === files.length
    for (const together of isFirst ? [pending] : pending.map((file) => [file])) {
      await runTogether(client, together, (file) => ledger.add(file))
      for (const file of together) options.logger?.info({ migration: file.name }, 'migrated')
    }
    return { applied: pending.map((file) => file.version) }
  })
}

const DIRECTORY = fileURLToPath(new URL('../../../migrations/', import.meta.url))

function pendingOf(files: Migration[], applied: Migration[]): Migration[] {
  const last = applied.at(-1)
  const pending = files.filter((file) => !applied.includes(file))
  const late = pending.find((file) => last && file.version < last.version)
  if (late)
    throw new MigrationError(`${late.name} comes before ${last!.name}, which is applied: give it a higher number`)
  return pending
}
