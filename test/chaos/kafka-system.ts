import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type EventLog, openEventLog } from '@platform-events/event-log'
import { createPool, type EmbeddedPostgres, migrate, startEmbeddedPostgres } from '@platform-events/postgres'
import { createLogger } from '@platform-events/runtime'
import { makeDataDir } from '../support/data-dir.ts'
import {
  createJvmBroker,
  type JvmBroker,
  removeJvmBroker,
  signalJvmBroker,
  startJvmBroker,
  stopJvmBroker,
} from '../support/kafka-jvm.ts'
import { freePort } from '../support/process.ts'
import { type ManagedProcess, startManaged } from './managed-process.ts'
import { untilReady } from './readiness.ts'
import type { Broker, System } from './system.ts'
import { startTcpProxy } from './tcp-proxy.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const logger = createLogger({ name: 'chaos', level: 'silent' })

/** Two collectors, two consumers, a Postgres and a Kafka broker of their own. */
export async function startKafkaSystem(onDeath: (name: string, lastWords: string) => void): Promise<System> {
  const releases: (() => Promise<unknown>)[] = []
  const stop = async (keepData: boolean): Promise<void> => {
    for (const release of releases.splice(0).reverse()) await release()
    if (!keepData) await dataDir.remove()
  }
  const dataDir = await makeDataDir()
  try {
    const jvm = await createJvmBroker()
    releases.push(() => removeJvmBroker(jvm))
    const postgres = await startPostgres(dataDir.path)
    releases.push(() => postgres.stop())
    const source = await prepareDatabase(postgres.url)
    const database = await startTcpProxy(() => [postgres.port])
    releases.push(() => database.close())

    const env = { KAFKA_BROKERS: `127.0.0.1:${jvm.port}`, DATABASE_URL: through(database.port, postgres.url) }
    const start = async (service: 'collector' | 'consumer', number: number): Promise<ManagedProcess> => {
      const name = `${service}-${number}`
      const folder = join(dataDir.path, name)
      await mkdir(folder, { recursive: true })
      const managed = startManaged({
        ...{ name, port: await freePort(), cwd: join(root, 'services', service), logs: dataDir.path, onDeath },
        args: ['--import', 'tsx', 'src/main.ts'],
        // One collector's spool is so small that a longer outage of the broker fills it.
        env: { ...env, DATA_DIR: folder, SPOOL_MAX_BYTES: String((name === 'collector-2' ? 1 : 1024) * 1024 ** 2) },
      })
      releases.push(() => managed.stop())
      return managed
    }
    const collectors = await Promise.all([start('collector', 1), start('collector', 2)])
    const consumers = await Promise.all([start('consumer', 1), start('consumer', 2)])
    const processes = [...collectors, ...consumers]
    const door = await startTcpProxy(() => collectors.map(({ port }) => port))
    releases.push(() => door.close())
    await untilReady(processes.map(({ port }) => port))

    let log: EventLog | undefined
    releases.push(async () => log?.close())
    let added = consumers.length
    return {
      ...{
        url: `http://127.0.0.1:${door.port}`,
        databaseUrl: postgres.url,
        ...source,
        processes,
        door,
        database,
        stop,
      },
      folder: dataDir.path,
      broker: brokerOf(jvm),
      crashPostgres: postgres.crash,
      async addConsumer(ms) {
        const consumer = await start('consumer', ++added)
        await sleep(3000 + ms)
        const code = await consumer.stop()
        return `${consumer.name} joined and left ${code === 0 ? 'in order' : `by ${code}`}`
      },
      async appendToLog(records) {
        for (;;) {
          try {
            log ??= await openEventLog({ KAFKA_BROKERS: env.KAFKA_BROKERS, DATA_DIR: dataDir.path }, logger)
            await log.append(records)
            return 'straight into the topic'
          } catch {
            await sleep(1000)
          }
        }
      },
    }
  } catch (error) {
    await stop(false)
    throw error
  }
}

/** A Postgres that dies and comes back on the same port. */
async function startPostgres(folder: string) {
  let died: () => void = () => undefined
  const launch = (): Promise<EmbeddedPostgres> =>
    startEmbeddedPostgres({ dataDir: folder, logger, onExit: () => died() })
  let server = await launch()
  let restarted = Promise.resolve()
  return {
    url: server.connectionString,
    port: server.port,
    async crash(downMs: number): Promise<undefined> {
      await restarted
      const dead = new Promise<void>((resolve) => {
        died = resolve
      })
      process.kill(server.pid, 'SIGQUIT')
      restarted = dead.then(async () => {
        await sleep(downMs)
        server = await launch()
      })
      await restarted
    },
    async stop(): Promise<void> {
      await restarted
      await server.stop()
    },
  }
}

async function prepareDatabase(url: string): Promise<{ writeKey: string; sourceId: number }> {
  await migrate(url)
  const pool = createPool({ connectionString: url, applicationName: 'chaos', max: 1 })
  try {
    await pool.query(`select events_internal.create_day(current_date + day) from generate_series(-7, 7) as day`)
    const writeKey = `pk_${randomUUID()}`
    const { rows } = await pool.query(
      `insert into events_internal.event_sources (name, write_key, user_ids) values ('chaos', $1, 'trust') returning source_id`,
      [writeKey],
    )
    return { writeKey, sourceId: rows[0].source_id }
  } finally {
    await pool.end()
  }
}

function brokerOf(jvm: JvmBroker): Broker {
  let busy = false
  const alone = async (work: () => Promise<void>): Promise<void> => {
    busy = true
    await work().finally(() => {
      busy = false
    })
  }
  const down = async (signal: 'SIGKILL' | 'SIGTERM', ms: number): Promise<void> => {
    await stopJvmBroker(jvm, signal)
    await sleep(ms)
    await startJvmBroker(jvm)
  }
  return {
    busy: () => busy,
    kill: (ms) => alone(() => down('SIGKILL', ms)),
    stop: (ms) => alone(() => down('SIGTERM', ms)),
    freeze: (ms) =>
      alone(async () => {
        signalJvmBroker(jvm, 'SIGSTOP')
        await sleep(ms)
        signalJvmBroker(jvm, 'SIGCONT')
      }),
  }
}

function through(port: number, url: string): string {
  const changed = new URL(url)
  changed.port = String(port)
  return changed.href
}
