/**
 * The collector against a bare Fastify: CPU of the server process for each event, requests of 20 events of about 500 bytes,
 * every one of the collector's answers after an fsync. Rounds alternate, medians are compared: `tsx test/bench/collector.ts`.
 * At few connections an fsync serves few requests and weighs more, so the ratio is given at 16 and at 64.
 * BENCH_ROUNDS (5), BENCH_SECONDS (4) a round.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'
import { machine, median } from './facts.ts'
import { sampleRequest } from './sample-request.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 4)
const CONNECTIONS = [16, 64]
const PER_REQUEST = 20
const SUBJECTS = ['bare', 'collector'] as const

interface Round {
  cpu_us_per_event: number
  events_per_second: number
  p99_ms: number
}

const servers = { bare: await startServer('bare'), collector: await startServer('collector') }
const compared = []
for (const connections of CONNECTIONS) compared.push(await compare(connections))
for (const { child } of Object.values(servers)) {
  child.send('stop')
  await once(child, 'exit')
}
const result = {
  name: 'collector',
  events_per_request: PER_REQUEST,
  bytes_per_event: Math.round(sampleRequest(PER_REQUEST).length / PER_REQUEST),
  compared,
  machine: machine(),
}
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)

async function compare(connections: number) {
  const rounds: Record<(typeof SUBJECTS)[number], Round[]> = { bare: [], collector: [] }
  for (let round = 0; round <= ROUNDS; round++) {
    for (const name of round % 2 === 0 ? SUBJECTS : [...SUBJECTS].reverse()) {
      const measured = await measure(servers[name], connections)
      // The first round warms up.
      if (round > 0) rounds[name].push(measured)
    }
  }
  const cpu = (name: keyof typeof rounds) => median(rounds[name].map((round) => round.cpu_us_per_event))
  return {
    connections,
    ratio: Number((cpu('collector') / cpu('bare')).toFixed(2)),
    bare_cpu_us_per_event: cpu('bare'),
    collector_cpu_us_per_event: cpu('collector'),
    rounds,
  }
}

async function startServer(name: string): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(fileURLToPath(new URL('collector-server.ts', import.meta.url)), [name], {
    execArgv: ['--import', 'tsx'],
  })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return { child, port }
}

async function measure(server: { child: ChildProcess; port: number }, connections: number): Promise<Round> {
  const before = await cpuOf(server.child)
  const run = await autocannon({
    url: `http://127.0.0.1:${server.port}/v1/events`,
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer pk_bench' },
    connections,
    duration: SECONDS,
    setupClient(client) {
      client.setBody(sampleRequest(PER_REQUEST))
      client.on('response', () => client.setBody(sampleRequest(PER_REQUEST)))
    },
  })
  const used = (await cpuOf(server.child)) - before
  if (run.non2xx > 0 || run.errors > 0) throw new Error(`${run.non2xx} answers were not 2xx, ${run.errors} failed`)
  const events = run['2xx'] * PER_REQUEST
  return {
    cpu_us_per_event: Number((used / events).toFixed(2)),
    events_per_second: Math.round(events / run.duration),
    p99_ms: run.latency.p99,
  }
}

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send('cpu')
  const [{ cpu }] = (await once(child, 'message')) as [{ cpu: NodeJS.CpuUsage }]
  return cpu.user + cpu.system
}
