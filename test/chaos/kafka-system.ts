import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type EventLog, openEventLog } from '@platform-events/event-log'
import { createLogger } from '@platform-events/runtime'
import { createJvmCluster, removeJvmBroker } from '../support/kafka-jvm.ts'
import { freePort } from '../support/process.ts'
import { brokersOf } from './brokers.ts'
import { linkOf } from './link.ts'
import { readWhole } from './log-reader.ts'
import { type ManagedProcess, startManaged } from './managed-process.ts'
import { startOwnPostgres } from './postgres-server.ts'
import { prepareDatabase } from './prepare-database.ts'
import { untilReady } from './readiness.ts'
import type { Door, System, SystemOptions } from './system.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
import { addTopicPartition } from './topic.ts'

const services = fileURLToPath(new URL('../../services', import.meta.url))
const TOPIC = 'platform.events.v1'
const MOST_PARTITIONS = 16
const MIB = 1024 ** 2

type Service = 'collector' | 'consumer' | 'query' | 'retention'

/** Two collectors, two consumers, the query service, retention, a Postgres and Kafka of their own, with proxies between. */
export async function startKafkaSystem(options: SystemOptions): Promise<System> {
  const { folder, onDeath } = options
  const releases: (() => Promise<unknown>)[] = []
  const proxyTo = async (upstreams: () => number[]): Promise<TcpProxy> => {
    const proxy = await startTcpProxy(upstreams)
    releases.push(() => proxy.close())
    return proxy
  }
  const wayInto = (proxies: TcpProxy[]) => async (port: number) => {
    const proxy = await proxyTo(() => [port])
    proxies.push(proxy)
    return proxy.port
  }
  const fromCollectors: TcpProxy[] = []
  const fromConsumers: TcpProxy[] = []
  const jvms = await createJvmCluster(options.brokers, wayInto(fromCollectors), wayInto(fromConsumers))
  releases.push(() => Promise.all(jvms.map(removeJvmBroker)))
  const postgres = await startOwnPostgres(folder, onDeath)
  releases.push(() => postgres.stop())
  const prepared = await prepareDatabase(postgres)
  const database = await proxyTo(() => [postgres.port])

  const env = { DATABASE_URL: through(database.port, postgres.url) }
  const start = async (service: Service, name: string, spoolBytes = 1024 * MIB): Promise<ManagedProcess> => {
    const data = join(folder, name)
    await mkdir(data, { recursive: true })
    const managed = startManaged({
      ...{ name, port: await freePort(), cwd: join(services, service), folder, onDeath },
      args: ['--import', 'tsx', 'src/main.ts'],
      env: {
        ...env,
        KAFKA_BROKERS: brokersAt(service === 'consumer' ? fromConsumers : fromCollectors),
        DATA_DIR: data,
        SPOOL_MAX_BYTES: String(spoolBytes),
      },
    })
    releases.push(() => managed.stop())
    return managed
  }
  const collectors = [await start('collector', 'collector-1'), await start('collector', 'collector-2', MIB)]
  const consumers = [await start('consumer', 'consumer-1'), await start('consumer', 'consumer-2')]
  const query = await start('query', 'query')
  const processes = [...collectors, ...consumers, query, await start('retention', 'retention')]
  const toCollectors = await Promise.all([
    proxyTo(() => collectors.map(({ port }) => port)),
    ...collectors.map(({ port }) => proxyTo(() => [port])),
  ])
  await untilReady(processes.map(({ port }) => port))

  const direct = jvms.map(({ port }) => `127.0.0.1:${port}`)
  let log: EventLog | undefined
  releases.push(async () => log?.close())
  const openLog = async (): Promise<EventLog> => {
    const settings = { KAFKA_BROKERS: direct.join(','), DATA_DIR: folder }
    log ??= await openEventLog(settings, createLogger({ name: 'chaos', level: 'silent' }))
    return log
  }
  let added = consumers.length
  return {
    ...prepared,
    ...{ processes, postgres, queryUrl: `http://127.0.0.1:${query.port}` },
    doors: toCollectors.map(
      ({ port }, index): Door => ({
        url: `http://127.0.0.1:${port}`,
        oneCollector: index > 0,
        spoolsLittle: index === 2,
      }),
    ),
    links: {
      door: linkOf(toCollectors),
      database,
      append: linkOf(fromCollectors),
      fetch: linkOf(fromConsumers),
    },
    brokers: brokersOf(jvms),
    async addConsumer(ms) {
      const consumer = await start('consumer', `consumer-${++added}`)
      await sleep(3000 + ms)
      const code = await consumer.stop()
      return `${consumer.name} joined and left ${code === 0 ? 'in order' : `by ${code}`}`
    },
    addTopicPartition: () => addTopicPartition(TOPIC, direct, MOST_PARTITIONS),
    async appendToLog(records) {
      for (;;) {
        try {
          await (await openLog()).append(records)
          return 'straight into the topic'
        } catch {
          await sleep(1000)
        }
      }
    },
    readLog: async (take) => readWhole(await openLog(), take),
    async stop() {
      for (const release of releases.splice(0).reverse()) await release()
    },
  }
}

function brokersAt(proxies: TcpProxy[]): string {
  return proxies.map(({ port }) => `127.0.0.1:${port}`).join(',')
}

function through(port: number, url: string): string {
  const changed = new URL(url)
  changed.port = String(port)
  return changed.href
}
