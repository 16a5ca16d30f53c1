/**
 * Anonymous memory (RssAnon) of each process through an outage of Postgres under a steady load, and until all is stored after it:
 * `npm run bench outage [-- --minutes 10 --how frozen --transport kafka]`. Linux only.
 *
 * Over Kafka a collector and a consumer with a broker on the local JVM; over the local log one process that is everything. Events come
 * at 5,000 a second in requests of 100, half a minute before the outage and through it. Frozen: connections stay open and nothing answers;
 * stopped: connections are refused; both unless told. At the end every event acknowledged is in the table, or this fails.
 */
import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { makeDataDir } from '../support/data-dir.ts'
import { createJvmBroker, removeJvmBroker, whyNoJvm } from '../support/kafka-jvm.ts'
import { freePort, type ServingProcess, startService } from '../support/process.ts'
import { watchRssAnon } from '../support/process-memory.ts'
import { startStandalone } from '../support/standalone.ts'
import { type BenchDatabase, startBenchDatabase } from './database.ts'
import { machine } from './facts.ts'
import { sampleRequest } from './sample-request.ts'

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    how: { type: 'string' },
    transport: { type: 'string' },
  },
})
const MINUTES = Number(options.minutes)
const PER_SECOND = 5000
const PER_REQUEST = 100
const BEFORE_MS = Math.min(30_000, MINUTES * 30_000)
/** More than this many requests under way: whoever measures is too slow, or the collector is. */
const UNDER_WAY = 200

const results = []
for (const transport of ['local', 'kafka'] as const) {
  if ((options.transport ?? transport) !== transport) continue
  for (const how of ['frozen', 'stopped'] as const)
    if ((options.how ?? how) === how) results.push(await outage(transport, how))
}
const result = { name: 'outage', minutes: MINUTES, events_per_second: PER_SECOND, outages: results, machine: machine() }
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)

async function outage(transport: 'local' | 'kafka', how: 'frozen' | 'stopped') {
  const database = await startBenchDatabase()
  const system = transport === 'local' ? await startLocal(database) : await startOverKafka(database)
  const watched = Object.entries(system.processes).map(([name, { pid }]) => ({ name, memory: watchRssAnon(pid) }))
  try {
    const load = startLoad(system.processes.collector!.url, database.writeKey)
    await sleep(BEFORE_MS)
    const comeBack = await database.goAway(how)
    const highest = watched.map(({ memory }) => memory.highestMb())
    await sleep(MINUTES * 60_000)
    const during = watched.map(({ memory }) => memory.highestMb())
    await comeBack()
    const { accepted, refused } = await load.stop()
    const began = performance.now()
    await untilStored(database, accepted)
    return {
      transport,
      postgres: how,
      rss_anon_mb: Object.fromEntries(
        watched.map(({ name, memory }, at) => [
          name,
          {
            highest_before: highest[at],
            highest_until_its_end: during[at],
            highest_until_all_stored: memory.highestMb(),
          },
        ]),
      ),
      accepted_events: accepted,
      refused_requests: refused,
      stored_after_seconds: Math.round((performance.now() - began) / 1000),
    }
  } finally {
    for (const { memory } of watched) memory.stop()
    await system.end()
    await database.remove()
  }
}

interface BenchSystem {
  /** By name; where events are sent to is `collector`. */
  processes: Record<string, ServingProcess>
  end(): Promise<void>
}

async function startLocal(database: BenchDatabase): Promise<BenchSystem> {
  const dataDir = await makeDataDir()
  const standalone = await startStandalone({
    dataDir: dataDir.path,
    port: await freePort(),
    env: { DATABASE_URL: database.url },
  })
  return {
    processes: { collector: standalone },
    async end() {
      await standalone.kill()
      await dataDir.remove()
    },
  }
}

async function startOverKafka(database: BenchDatabase): Promise<BenchSystem> {
  const missing = whyNoJvm()
  if (missing !== null) throw new Error(missing)
  const broker = await createJvmBroker()
  const dataDir = await makeDataDir()
  const start = async (name: 'collector' | 'consumer'): Promise<ServingProcess> => {
    const DATA_DIR = `${dataDir.path}/${name}`
    mkdirSync(DATA_DIR)
    const env = { KAFKA_BROKERS: `127.0.0.1:${broker.port}`, DATABASE_URL: database.url, DATA_DIR, LOG_LEVEL: 'error' }
    return await startService(name, { port: await freePort(), env })
  }
  const collector = await start('collector')
  const consumer = await start('consumer')
  return {
    processes: { collector, consumer },
    async end() {
      await Promise.all([collector.kill(), consumer.kill()])
      await dataDir.remove()
      await removeJvmBroker(broker)
    },
  }
}

/** So many a second, whether or not the answers keep up. */
function startLoad(url: string, writeKey: string): { stop(): Promise<{ accepted: number; refused: number }> } {
  const underWay = new Set<Promise<void>>()
  const headers = { authorization: `Bearer ${writeKey}` }
  let accepted = 0
  let refused = 0
  let sent = 0
  const began = performance.now()
  async function send(): Promise<void> {
    const answer = await fetch(`${url}/v1/events`, { method: 'POST', headers, body: sampleRequest(PER_REQUEST) })
    if (answer.status === 202) accepted += ((await answer.json()) as { accepted: number }).accepted
    else {
      refused++
      await answer.arrayBuffer()
    }
  }
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * (PER_SECOND / PER_REQUEST))
    for (; sent < due && underWay.size < UNDER_WAY; sent++) {
      const request = send().finally(() => underWay.delete(request))
      underWay.add(request)
    }
  }, 10)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
      return { accepted, refused }
    },
  }
}

async function untilStored(database: BenchDatabase, events: number): Promise<void> {
  let stored = 0
  for (const end = Date.now() + 15 * 60_000; Date.now() < end; await sleep(500)) {
    const { rows } = await database.pool.query<{ n: number }>('select count(*)::int as n from public.platform_events')
    stored = rows[0]!.n
    if (stored >= events) break
  }
  if (stored !== events) throw new Error(`${stored} events stored of ${events} acknowledged`)
}
