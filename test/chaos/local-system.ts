import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type EventLog, openEventLog } from '@platform-events/event-log'
import { createLogger } from '@platform-events/runtime'
import { freePort } from '../support/process.ts'
import { readWhole } from './log-reader.ts'
import { startManaged } from './managed-process.ts'
import { type PostgresServer, postgresIn, startOwnPostgres } from './postgres-server.ts'
import { type Prepared, prepareDatabase } from './prepare-database.ts'
import { untilReady } from './readiness.ts'
import type { System, SystemOptions } from './system.ts'
import { startTcpProxy } from './tcp-proxy.ts'

/** One standalone process with the local log, as `npm start` runs it: with its embedded Postgres, or with another one behind a proxy. */
export async function startLocalSystem(options: SystemOptions): Promise<System> {
  const { folder, onDeath } = options
  const releases: (() => Promise<unknown>)[] = []
  const apart = options.databaseApart ? await startApart(options, releases) : null
  const port = await freePort()
  const standalone = startManaged({
    ...{ name: 'standalone', port, folder, onDeath },
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    args: ['infra/run.mjs', 'start'],
    env: { DATA_DIR: folder, KAFKA_BROKERS: '', DATABASE_URL: apart?.throughProxy ?? '' },
  })
  releases.push(() => standalone.stop())
  const door = await startTcpProxy(() => [port])
  releases.push(() => door.close())
  await untilReady([port])

  const { postgres, prepared } = apart ?? (await embeddedIn(folder, releases))
  const withLog = async (work: (log: EventLog) => Promise<void>): Promise<void> => {
    const log = await openEventLog({ DATA_DIR: folder }, createLogger({ name: 'chaos', level: 'silent' }))
    await work(log).finally(() => log.close())
  }
  return {
    ...prepared,
    doors: [{ url: `http://127.0.0.1:${door.port}`, oneCollector: true, spoolsLittle: false }],
    queryUrl: `http://127.0.0.1:${port}`,
    processes: [standalone],
    links: { door, ...(apart && { database: apart.proxy }) },
    postgres,
    brokers: null,
    addConsumer: null,
    addTopicPartition: null,
    async appendToLog(records, downMs) {
      if (standalone.state() !== 'up') return 'passed over: the process is down or frozen'
      // One process at a time may open the log: killed, it leaves room for us.
      await standalone.kill(downMs, () => withLog((log) => log.append(records)))
      return 'into the log while standalone was killed'
    },
    async readLog(take) {
      await standalone.stop()
      await withLog((log) => readWhole(log, take))
    },
    async stop() {
      for (const release of releases.splice(0).reverse()) await release()
    },
  }
}

type Releases = (() => Promise<unknown>)[]

async function startApart({ folder, onDeath }: SystemOptions, releases: Releases) {
  const postgres = await startOwnPostgres(folder, onDeath)
  releases.push(() => postgres.stop())
  const prepared = await prepareDatabase(postgres)
  const proxy = await startTcpProxy(() => [postgres.port])
  releases.push(() => proxy.close())
  const url = new URL(postgres.url)
  url.port = String(proxy.port)
  return { postgres, prepared, proxy, throughProxy: url.href }
}

/** What standalone made for itself. */
async function embeddedIn(
  folder: string,
  releases: Releases,
): Promise<{ postgres: PostgresServer; prepared: Prepared }> {
  const access = JSON.parse(await readFile(join(folder, 'access.json'), 'utf8'))
  const postgres = postgresIn(folder, access.database_url, () => undefined)
  releases.push(() => postgres.pool.end())
  const { rows } = await postgres.pool.query(
    'select source_id from events_internal.event_sources where write_key = $1',
    [access.write_key],
  )
  return {
    postgres,
    prepared: { writeKey: access.write_key, operatorToken: access.operator_token, sourceId: rows[0].source_id },
  }
}
