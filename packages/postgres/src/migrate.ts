import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Logger } from '@platform-events/runtime'
import pg from 'pg'
import { sqlstateOf } from './sqlstate.ts'

export interface MigrateOptions {
  /** Of the files `NNNN_name.sql`; the repository's own unless told. */
  directory?: string
  logger?: Logger
  /** How long to wait for another process that migrates; 60 s unless told. */
  waitMs?: number
}

/** Why the database was not migrated; what was applied before stays applied, a file that failed left nothing. */
export class MigrationError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MigrationError'
  }
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
  if (typeof connection !== 'string') return await migrateOn(connection, files, options)
  const client = new pg.Client({
    connectionString: connection,
    application_name: 'platform-events migrate',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await migrateOn(client, files, options)
  } finally {
    await client.end().catch(() => undefined)
  }
}

const DIRECTORY = fileURLToPath(new URL('../../../migrations/', import.meta.url))

const OLDEST_SERVER = 150_000

/** The first eight bytes of sha256('platform-events migrate'), as Postgres takes them. */
const LOCK_KEY = createHash('sha256').update('platform-events migrate').digest().readBigInt64BE(0).toString()

/** A row while a process migrates this database. */
export const MIGRATION_LOCK = `select from pg_locks where locktype = 'advisory' and objsubid = 1
  and database = (select oid from pg_database where datname = current_database())
  and (classid::bigint << 32) | objid::bigint = ${LOCK_KEY}`

interface Migration {
  version: number
  name: string
  sql: string
  checksum: string
}

async function migrateOn(
  client: pg.ClientBase,
  files: Migration[],
  options: MigrateOptions,
): Promise<{ applied: number[] }> {
  await requireServer(client)
  await lock(client, options.waitMs ?? 60_000)
  try {
    await makeLedger(client)
    const pending = await pendingOf(client, files)
    const isFirst = pending.length === files.length
    for (const together of isFirst ? [pending] : pending.map((file) => [file])) {
      await apply(client, together)
      for (const file of together) options.logger?.info({ migration: file.name }, 'migrated')
    }
    return { applied: pending.map((file) => file.version) }
  } finally {
    // Ends with the session anyway, should the connection be lost.
    await client.query('select pg_advisory_unlock($1)', [LOCK_KEY]).catch(() => undefined)
  }
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  const files: Migration[] = []
  for (const name of names) {
    const version = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(name)?.[1])
    if (!Number.isInteger(version)) throw new MigrationError(`${name}: a migration is called NNNN_name.sql`)
    const before = files.at(-1)
    if (before?.version === version) throw new MigrationError(`${before.name} and ${name} have the same number`)
    // A checkout may have turned line ends.
    const sql = (await readFile(join(directory, name), 'utf8')).replaceAll('\r\n', '\n')
    files.push({ version, name, sql, checksum: createHash('sha256').update(sql).digest('hex') })
  }
  return files
}

async function requireServer(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ number: string; version: string }>(
    `select current_setting('server_version_num') as number, current_setting('server_version') as version`,
  )
  if (Number(rows[0]!.number) < OLDEST_SERVER) {
    throw new MigrationError(`Postgres 15 or newer is needed, and this server is ${rows[0]!.version}`)
  }
}

/** Asks again and again instead of waiting inside Postgres, where the wait would hold a snapshot all the time. */
async function lock(client: pg.ClientBase, waitMs: number): Promise<void> {
  const deadline = Date.now() + waitMs
  for (;;) {
    const { rows } = await client.query<{ got: boolean }>('select pg_try_advisory_lock($1) as got', [LOCK_KEY])
    if (rows[0]!.got) return
    if (Date.now() > deadline) {
      throw new MigrationError(
        `another process has been migrating this database for ${waitMs / 1000} s; try again later`,
      )
    }
    await delay(100)
  }
}

/** Looks before it makes: `create schema if not exists` wants the right to create even where the schema exists. */
async function makeLedger(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ schema: boolean; ledger: boolean }>(
    `select to_regnamespace('events_internal') is not null as schema,
            to_regclass('events_internal.schema_migrations') is not null as ledger`,
  )
  if (!rows[0]!.schema) await client.query('create schema events_internal')
  if (!rows[0]!.ledger) {
    await client.query(`create table events_internal.schema_migrations (
      version int primary key,
      name text not null,
      checksum text not null,
      applied_at timestamptz not null default now())`)
  }
}

async function pendingOf(client: pg.ClientBase, files: Migration[]): Promise<Migration[]> {
  const { rows } = await client.query<{ version: number; name: string; checksum: string }>(
    'select version, name, checksum from events_internal.schema_migrations order by version',
  )
  const known = new Map(files.map((file) => [file.version, file]))
  for (const row of rows) {
    const file = known.get(row.version)
    if (!file) {
      throw new MigrationError(
        `the database is newer than this program: it has ${row.name}, which is not among the files`,
      )
    }
    if (file.checksum !== row.checksum) {
      throw new MigrationError(
        `${file.name} was changed after it was applied: restore it, and put the change in a new file`,
      )
    }
  }
  const applied = new Set(rows.map((row) => row.version))
  const last = rows.at(-1)
  const pending = files.filter((file) => !applied.has(file.version))
  const late = pending.find((file) => last && file.version < last.version)
  if (late)
    throw new MigrationError(`${late.name} comes before ${last!.name}, which is applied: give it a higher number`)
  return pending
}

async function apply(client: pg.ClientBase, files: Migration[]): Promise<void> {
  await client.query('begin')
  try {
    // Somebody's long transaction must not make all inserts queue behind our DDL for ever.
    await client.query(`set local lock_timeout = '15s'`)
    for (const file of files) await applyFile(client, file)
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

async function applyFile(client: pg.ClientBase, file: Migration): Promise<void> {
  try {
    const transaction = await transactionId(client)
    await client.query(file.sql)
    if ((await transactionId(client)) !== transaction) {
      throw new MigrationError(`${file.name} ended the transaction that it runs in: part of it may have stayed`)
    }
    await client.query('reset role')
    await client.query('insert into events_internal.schema_migrations (version, name, checksum) values ($1, $2, $3)', [
      file.version,
      file.name,
      file.checksum,
    ])
  } catch (error) {
    if (error instanceof MigrationError) throw error
    throw new MigrationError(`${file.name} failed${where(error, file.sql)}: ${explained(error)}`, { cause: error })
  }
}

/** With what Postgres says besides: our own refusals have the way out in their hint. */
function explained(error: unknown): string {
  const { message, detail, hint } = error as Error & { detail?: string; hint?: string }
  return [message, detail, hint].filter(Boolean).join('. ')
}

async function transactionId(client: pg.ClientBase): Promise<string> {
  return (await client.query<{ id: string }>('select pg_current_xact_id()::text as id')).rows[0]!.id
}

function where(error: unknown, sql: string): string {
  const position = Number((error as { position?: string }).position)
  const line = position > 0 ? ` in line ${sql.slice(0, position).split('\n').length}` : ''
  const sqlstate = sqlstateOf(error)
  return `${line}${sqlstate ? ` (SQLSTATE ${sqlstate})` : ''}`
}
