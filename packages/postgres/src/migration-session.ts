import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { MigrationError } from './migration-files.ts'

export interface SessionOptions {
  /** How long to wait for another process that migrates; 60 s unless told. */
  waitMs?: number
}

/**
 * Runs `work` on a session that alone migrates this database; other processes wait for their turn.
 *
 * @throws MigrationError where the server is too old, or another process does not come to an end
 */
export async function asMigrator<T>(
  connection: string | pg.ClientBase,
  options: SessionOptions,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  if (typeof connection !== 'string') return await locked(connection, options, work)
  const client = new pg.Client({
    connectionString: connection,
    application_name: 'platform-events migrate',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await locked(client, options, work)
  } finally {
    await client.end().catch(() => undefined)
  }
}

const OLDEST_SERVER = 150_000

/** The first eight bytes of sha256('platform-events migrate'), as Postgres takes them. */
const LOCK_KEY = createHash('sha256').update('platform-events migrate').digest().readBigInt64BE(0).toString()

/** A row while a process migrates this database. */
export const MIGRATION_LOCK = `select from pg_locks where locktype = 'advisory' and objsubid = 1
  and database = (select oid from pg_database where datname = current_database())
  and (classid::bigint << 32) | objid::bigint = ${LOCK_KEY}`

async function locked<T>(
  client: pg.ClientBase,
  options: SessionOptions,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  await requireServer(client)
  await lock(client, options.waitMs ?? 60_000)
  try {
    return await work(client)
  } finally {
    // Ends with the session anyway, should the connection be lost.
    await client.query('select pg_advisory_unlock($1)', [LOCK_KEY]).catch(() => undefined)
  }
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
