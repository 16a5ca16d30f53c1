import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from '@platform-events/runtime'
import type pg from 'pg'
import { type Migration, MigrationError, readMigrations } from './migration-files.ts'
import { MigrationLedger } from './migration-ledger.ts'
import { runTogether } from './migration-run.ts'
import { asMigrator } from './migration-session.ts'

export interface MarketplaceOptions {
  /** Of the files `NNNN_name.sql`, with what takes each back in `rollback/`; the repository's own unless told. */
  directory?: string
  logger?: Logger
  /** How long to wait for another process that migrates; 60 s unless told. */
  waitMs?: number
  /** Lets files and rollbacks do what they else refuse: they move rows to the schema marketplace_archive before they drop what holds them. */
  force?: boolean
}

/**
 * Applies the marketplace's migrations that the database lacks, in order, each in a transaction of its own. They do not build on each
 * other's order: a file that comes late is applied, and one that fails does not keep back the next. The analytics core must be there.
 *
 * @param options.before only files with a smaller number; 900 and on drop what the platform had, which wants somebody's word
 * @param options.development make the platform's own tables in a minimal form where they are absent
 * @returns the numbers of the files that this call applied
 * @throws MigrationError if the core is absent, a file fails (it leaves nothing, the others are applied), an applied file was changed, or the database is
 * newer than the files
 */
export async function migrateMarketplace(
  connection: string | pg.ClientBase,
  options: MarketplaceOptions & { development?: boolean; before?: number } = {},
): Promise<{ applied: number[] }> {
  const files = await readMigrations(options.directory ?? DIRECTORY)
  return await asMigrator(connection, options, async (client) => {
    await requireCore(client)
    return await withSettings(client, options, async () => {
      const ledger = new MigrationLedger(client, SCHEMA)
      await ledger.make()
      const done = await ledger.applied(files)
      const pending = files.filter(
        (file) => !done.includes(file) && file.version < (options.before ?? Number.POSITIVE_INFINITY),
      )
      // That the platform's tables are wanted may come to mind after the first file was applied without them: it makes what is absent.
      const again = options.development === true ? done.slice(0, 1) : []
      for (const file of again) await runTogether(client, [file], async () => undefined)
      return { applied: await applyEach(client, ledger, pending, options.logger) }
    })
  })
}

/** A platform without referrals shall not be without the rest. */
async function applyEach(
  client: pg.ClientBase,
  ledger: MigrationLedger,
  files: Migration[],
  logger: Logger | undefined,
): Promise<number[]> {
  const applied: number[] = []
  const failures: MigrationError[] = []
  for (const file of files) {
    try {
      await runTogether(client, [file], () => ledger.add(file))
      applied.push(file.version)
      logger?.info({ migration: file.name }, 'migrated')
    } catch (error) {
      if (!(error instanceof MigrationError)) throw error
      failures.push(error)
    }
  }
  if (failures.length === 0) return applied
  const others = applied.length === 0 ? [] : [`Applied all the same: ${applied.join(', ')}.`]
  throw new MigrationError([...failures.map(({ message }) => message), ...others].join('\n'), { cause: failures[0] })
}

/**
 * Takes the marketplace's migrations back, the last first, all in one transaction. A table of ours that holds rows is refused, and
 * with `force` its rows go to the schema marketplace_archive.
 *
 * @param options.to the number of the last file that stays applied, 0 for none; without it one file is taken back, the last
 * @returns the numbers of the files that this call took back
 * @throws MigrationError if a rollback refuses or fails, or has no file: then none is taken back
 */
export async function rollbackMarketplace(
  connection: string | pg.ClientBase,
  options: MarketplaceOptions & { to?: number } = {},
): Promise<{ rolledBack: number[] }> {
  const directory = options.directory ?? DIRECTORY
  const files = await readMigrations(directory)
  const rollbacks = await readMigrations(join(directory, 'rollback'))
  return await asMigrator(connection, options, async (client) => {
    const ledger = new MigrationLedger(client, SCHEMA)
    if (!(await ledger.exists())) return { rolledBack: [] }
    const applied = (await ledger.applied(files)).toReversed()
    const chosen = options.to === undefined ? applied.slice(0, 1) : applied.filter((file) => file.version > options.to!)
    const steps = chosen.map((file) => rollbackOf(file, rollbacks))
    await withSettings(client, options, () => runTogether(client, steps, (step) => ledger.remove(step)))
    for (const step of steps) options.logger?.info({ migration: step.name }, 'rolled back')
    if (chosen.length === applied.length) await removeSchemaIfEmpty(client)
    return { rolledBack: chosen.map((file) => file.version) }
  })
}

const DIRECTORY = fileURLToPath(new URL('../../../migrations/marketplace/', import.meta.url))

const SCHEMA = 'marketplace_internal'

async function requireCore(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ core: boolean }>(
    `select to_regclass('events_internal.schema_migrations') is not null
       and exists (select from pg_class where oid = to_regclass('public.platform_events') and relkind = 'p') as core`,
  )
  if (!rows[0]!.core) {
    throw new MigrationError(
      'the marketplace needs the analytics core in this database. First: npx platform-events migrate',
    )
  }
}

/** For the session and not for a transaction: the files are run one by one. */
async function withSettings<T>(
  client: pg.ClientBase,
  options: { development?: boolean; force?: boolean },
  work: () => Promise<T>,
): Promise<T> {
  const set = (development: boolean, force: boolean) =>
    client.query(
      `select set_config('marketplace.development', $1, false), set_config('marketplace.force', $2, false)`,
      [development ? 'on' : 'off', force ? 'on' : 'off'],
    )
  await set(options.development === true, options.force === true)
  try {
    return await work()
  } finally {
    // A client that was given to us lives on.
    await set(false, false).catch(() => undefined)
  }
}

function rollbackOf(file: Migration, rollbacks: Migration[]): Migration {
  const found = rollbacks.find((rollback) => rollback.name === file.name)
  if (!found) throw new MigrationError(`${file.name} has no rollback file`)
  return found
}

/** What others keep in the schema stays, and the schema with it. */
async function removeSchemaIfEmpty(client: pg.ClientBase): Promise<void> {
  await client.query(`drop table if exists ${SCHEMA}.schema_migrations`)
  const { rowCount } = await client.query(
    `select from pg_depend where refclassid = 'pg_namespace'::regclass and refobjid = to_regnamespace($1) limit 1`,
    [SCHEMA],
  )
  if (rowCount === 0) await client.query(`drop schema if exists ${SCHEMA}`)
}
