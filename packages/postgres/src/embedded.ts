import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@platform-events/runtime'
import pg from 'pg'
import { type PostgresBinaries, platformBinaries, usableBinaries } from './embedded-binaries.ts'
import { prepareData } from './embedded-data.ts'
import { diskFullError, EmbeddedPostgresError, folderError } from './embedded-error.ts'
import { clearLeftOver } from './embedded-leftover.ts'
import { keptPassword, replacePassword } from './embedded-password.ts'
import { ensureFolder, placeData } from './embedded-place.ts'
import { freePort, launchServer, type ServerProcess } from './embedded-server.ts'
import { sqlstateOf } from './sqlstate.ts'

export interface EmbeddedPostgresOptions {
  /** The folder of the whole installation; the caller holds its lock, so that one process at a time is here. */
  dataDir: string
  logger: Logger
  /** Other binaries than those installed for this platform. */
  binaries?: PostgresBinaries
  /** Settings of the server (postgresql.conf names) over ours. */
  settings?: Record<string, string>
  /** Called when the server ends although nobody stopped it. */
  onExit?: (error: Error) => void
}

export interface EmbeddedPostgres {
  /** Of the superuser `postgres`, to the database `platform_events`. Carries the password: not for logs. */
  connectionString: string
  pid: number
  port: number
  /** Where the data really lies. */
  dataFolder: string
  /** Sentences for the user: what was recovered, and where things were put. */
  notes: string[]
  stop(): Promise<void>
}

/**
 * Runs a real Postgres as a child process, on 127.0.0.1 and on data under `<dataDir>/postgres`, and recovers by
 * itself from whatever a kill has left there.
 *
 * @throws EmbeddedPostgresError whose message says in a sentence what to do
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const notes: string[] = []
  const dataDir = await ensureFolder(options.dataDir)
  const installed = options.binaries ?? (await platformBinaries())
  const { dataFolder, account } = await placeData(dataDir, notes)
  const binaries = await usableBinaries(installed, account, notes)
  await clearLeftOver(dataFolder, notes)
  const password = await keptPassword(join(dataDir, 'postgres.password'))
  const making = { binaries, account, password: password.value }
  const existed = await prepareData(dataFolder, making, notes)
  if (existed && password.isNew) await replacePassword(dataFolder, making, notes)

  const portFile = join(dataDir, 'postgres.port')
  const { server, port } = await launchOnFreePort(portFile, (free) =>
    launchServer({
      postgres: binaries.postgres,
      account,
      dataFolder,
      port: free,
      settings: { ...SETTINGS, ...options.settings },
      logFile: join(dataDir, 'postgres.log'),
      onExit: options.onExit ?? ((err) => options.logger.error({ err }, 'postgres ended')),
    }),
  )
  const url = (database: string): string =>
    `postgres://postgres:${password.value}@127.0.0.1:${port}/${database}?sslmode=disable`
  try {
    await ensureDatabase(url)
  } catch (error) {
    await server.stop()
    throw (await diskFullError(dataFolder, error)) ?? databaseError(error, dataDir)
  }
  options.logger.debug({ pid: server.pid, port, dataFolder }, 'embedded postgres is ready')
  const { pid, stop } = server
  return { connectionString: url(DATABASE), pid, port, dataFolder, notes, stop }
}

const DATABASE = 'platform_events'

const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  max_connections: '100',
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  enable_partitionwise_aggregate: 'on',
  TimeZone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
}

/** The port of the last run if it is free, else another: whoever kept a connection string finds us again. */
async function launchOnFreePort(
  portFile: string,
  launch: (port: number) => Promise<ServerProcess>,
): Promise<{ server: ServerProcess; port: number }> {
  const last = Number.parseInt(await readFile(portFile, 'utf8').catch(() => ''), 10)
  let port = (last > 0 && last < 65_536 ? await freePort(last) : undefined) ?? (await freePort(0))
  for (let attempt = 1; ; attempt += 1) {
    if (port === undefined) throw new EmbeddedPostgresError('No port of 127.0.0.1 is free for Postgres.')
    try {
      await writeFile(portFile, `${port}\n`)
      return { server: await launch(port), port }
    } catch (error) {
      // Tried again only where somebody took the port between our look and the start.
      if (attempt === 3 || (await freePort(port)) !== undefined) throw folderError(error, portFile)
      port = await freePort(0)
    }
  }
}

async function ensureDatabase(url: (database: string) => string): Promise<void> {
  const found = await tryQuery(url(DATABASE), 'select 1').catch((error) => {
    if (sqlstateOf(error) === '3D000') return false
    throw error
  })
  if (found === false) await tryQuery(url('postgres'), `create database ${DATABASE}`)
}

function databaseError(error: unknown, dataDir: string): unknown {
  if (sqlstateOf(error) !== '28P01') return error
  return new EmbeddedPostgresError(
    `The database does not take the password in ${join(dataDir, 'postgres.password')}: ` +
      'remove that file, and the next start gives the database a new one.',
    { cause: error },
  )
}

async function tryQuery(connectionString: string, sql: string): Promise<true> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 10_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query(sql)
    return true
  } finally {
    await client.end().catch(() => undefined)
  }
}
