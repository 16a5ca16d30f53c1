/**
 * Anonymous memory (RssAnon; LMDB's mapped pages are not ours) of standalone's Node process: its highest while requests of 20
 * events come as fast as they are answered, and after that: `tsx test/bench/memory.ts`. BENCH_SECONDS (20). Linux only.
 */
import { randomUUID } from 'node:crypto'
import autocannon from 'autocannon'
import { makeDataDir } from '../support/data-dir.ts'
import { freePort } from '../support/process.ts'
import { rssAnonMb, watchRssAnon } from '../support/process-memory.ts'
import { startStandalone } from '../support/standalone.ts'
import { machine } from './facts.ts'

const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 20)
const PER_REQUEST = 20

const dataDir = await makeDataDir()
const standalone = await startStandalone({ dataDir: dataDir.path, port: await freePort() })
const atStart = rssAnonMb(standalone.pid)
const watched = watchRssAnon(standalone.pid)
const run = await autocannon({
  url: `${standalone.url}/v1/events`,
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${standalone.access.write_key}` },
  connections: 16,
  duration: SECONDS,
  setupClient(client) {
    client.setBody(body())
    client.on('response', () => client.setBody(body()))
  },
})
const highest = watched.highestMb()
watched.stop()
const afterLoad = rssAnonMb(standalone.pid)
await standalone.stop()
await dataDir.remove()
const result = {
  name: 'memory',
  rss_anon_mb_at_start: atStart,
  rss_anon_mb_highest: highest,
  rss_anon_mb_after_load: afterLoad,
  events: run['2xx'] * PER_REQUEST,
  events_per_second: Math.round((run['2xx'] * PER_REQUEST) / run.duration),
  ready_after_ms: standalone.readyAfterMs,
  machine: machine(),
}
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)

function body(): string {
  const session_id = randomUUID()
  const properties = { pro_id: session_id, city: 'Cali', service: 'cleaning', price: 85_000, text: 'x'.repeat(150) }
  return JSON.stringify({
    batch: Array.from({ length: PER_REQUEST }, () => ({ event_type: 'ProfessionalViewed', session_id, properties })),
  })
}
