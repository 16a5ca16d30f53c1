/**
 * Spool mode against normal: events a second that a collector acknowledges while Kafka is there, and, a moment later, while its broker
 * is killed and everything goes to the spool. One real collector process, one real broker on the local JVM, requests of 20 events of
 * about 500 bytes on 64 connections. In each round both; the ratio is the median of the rounds' own: `tsx test/bench/spool.ts`.
 * BENCH_ROUNDS (5), BENCH_SECONDS (5) of each.
 */
import autocannon from 'autocannon'
import { makeDataDir } from '../support/data-dir.ts'
import { createJvmBroker, removeJvmBroker, startJvmBroker, stopJvmBroker, whyNoJvm } from '../support/kafka-jvm.ts'
import { freePort, startService } from '../support/process.ts'
import { startBenchDatabase } from './database.ts'
import { machine, median } from './facts.ts'
import { sampleRequest } from './sample-request.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 5)
const PER_REQUEST = 20
const CONNECTIONS = 64

interface Phase {
  events_per_second: number
  p50_ms: number
  p99_ms: number
}

const missing = whyNoJvm()
if (missing !== null) throw new Error(missing)
const broker = await createJvmBroker()
const database = await startBenchDatabase()
const dataDir = await makeDataDir()
const collector = await startService('collector', {
  port: await freePort(),
  env: {
    KAFKA_BROKERS: `127.0.0.1:${broker.port}`,
    DATABASE_URL: database.url,
    DATA_DIR: dataDir.path,
    LOG_LEVEL: 'error',
  },
})
try {
  const rounds: { normal: Phase[]; spooling: Phase[] } = { normal: [], spooling: [] }
  for (let round = 0; round <= ROUNDS; round++) {
    await untilSpooling(false)
    const normal = await measure()
    await stopJvmBroker(broker, 'SIGKILL')
    // The one request that waits for Kafka, and finds it away.
    await send()
    await untilSpooling(true)
    const spooling = await measure()
    await startJvmBroker(broker)
    // The first round warms up.
    if (round === 0) continue
    rounds.normal.push(normal)
    rounds.spooling.push(spooling)
  }
  const rate = ({ events_per_second }: Phase): number => events_per_second
  const result = {
    name: 'spool',
    ratio: Number(median(rounds.normal.map((normal, at) => rate(rounds.spooling[at]!) / rate(normal))).toFixed(2)),
    normal_events_per_second: median(rounds.normal.map(rate)),
    spooling_events_per_second: median(rounds.spooling.map(rate)),
    rounds,
    events_per_request: PER_REQUEST,
    connections: CONNECTIONS,
    machine: machine(),
  }
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
} finally {
  await collector.kill()
  await dataDir.remove()
  await database.remove()
  await removeJvmBroker(broker)
}

async function measure(): Promise<Phase> {
  const run = await autocannon({
    url: `${collector.url}/v1/events`,
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${database.writeKey}` },
    connections: CONNECTIONS,
    duration: SECONDS,
    setupClient(client) {
      client.setBody(sampleRequest(PER_REQUEST))
      client.on('response', () => client.setBody(sampleRequest(PER_REQUEST)))
    },
  })
  if (run.non2xx > 0 || run.errors > 0) throw new Error(`${run.non2xx} answers were not 2xx, ${run.errors} failed`)
  return {
    events_per_second: Math.round((run['2xx'] * PER_REQUEST) / run.duration),
    p50_ms: run.latency.p50,
    p99_ms: run.latency.p99,
  }
}

async function send(): Promise<void> {
  await fetch(`${collector.url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${database.writeKey}` },
    body: sampleRequest(1),
  })
}

/** By what /readyz says of the log; drained is as good as not spooling. */
async function untilSpooling(wanted: boolean): Promise<void> {
  for (const end = Date.now() + 120_000; Date.now() < end; ) {
    const text = await (await fetch(`${collector.url}/readyz`)).text()
    if (text.includes('Kafka is away') === wanted) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`the collector is ${wanted ? 'not ' : ''}spooling after two minutes`)
}
