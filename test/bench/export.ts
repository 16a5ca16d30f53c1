/**
 * The export of one user with many events, as JSON and as ZIP: how fast it comes, and by how much the service's memory grows meanwhile.
 * BENCH_EVENTS (1,000,000) of about 500 bytes. The service is a process of its own, its reader takes what comes and keeps nothing.
 */
import { randomUUID } from 'node:crypto'
import { migrateMarketplace } from '@platform-events/postgres'
import { PLATFORM_SECRET, platformToken } from '../support/platform-token.ts'
import { freePort, startProcess } from '../support/process.ts'
import { rssAnonMb, watchRssAnon } from '../support/process-memory.ts'
import { startBenchDatabase } from './database.ts'
import { machine } from './facts.ts'

const EVENTS = Number(process.env['BENCH_EVENTS'] ?? 1_000_000)
const MARKETPLACE = new URL('../../services/marketplace/', import.meta.url).pathname

const database = await startBenchDatabase()
await migrateMarketplace(database.url, { development: true })
const user = randomUUID()
await database.pool.query('insert into auth.users (id, email) values ($1, $2)', [user, 'bench@example.com'])
// As a loader writes them: a source, and so no trigger that counts each.
await database.pool.query(
  `insert into public.platform_events (event_type, user_id, session_id, properties, created_at, source_id, actor_key)
   select 'ProfessionalViewed', $1, 'session ' || n % 1000,
          jsonb_build_object('pro_id', n, 'city', 'Cali', 'service', 'cleaning', 'text', repeat(md5(n::text), 5)),
          now() - interval '6 days' * (n::float8 / $2), 1, events_internal.actor_key($1, null)
     from generate_series(1, $2::int) n`,
  [user, EVENTS],
)
await database.pool.query('analyze public.platform_events')
const service = await startProcess({
  args: ['--import', 'tsx', 'src/main.ts'],
  cwd: MARKETPLACE,
  port: await freePort(),
  env: { DATABASE_URL: database.url, JWT_SECRET: PLATFORM_SECRET, HOST: '127.0.0.1' },
})
const headers = { authorization: `Bearer ${platformToken({ sub: user })}` }
// What the first request loads is no export's.
await read('json', 'nobody')
const json = await measure('json')
const zip = await measure('zip')
await service.stop()
await database.remove()
const result = { name: 'export', events: EVENTS, json, zip, machine: machine() }
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)

async function measure(format: 'json' | 'zip') {
  const before = rssAnonMb(service.pid)
  const watched = watchRssAnon(service.pid)
  const begun = performance.now()
  const bytes = await read(format)
  const seconds = (performance.now() - begun) / 1000
  const highest = watched.highestMb()
  watched.stop()
  return {
    seconds: Math.round(seconds * 10) / 10,
    mb: Math.round(bytes / 1e6),
    mb_per_second: Math.round((bytes / 1e6 / seconds) * 10) / 10,
    events_per_second: Math.round(EVENTS / seconds),
    rss_anon_mb_before: before,
    rss_anon_mb_highest: highest,
    rss_anon_mb_growth: highest - before,
  }
}

/** @returns how many bytes came; what is asked without a token is refused */
async function read(format: 'json' | 'zip', who?: 'nobody'): Promise<number> {
  const answer = await fetch(`${service.url}/api/account/export?format=${format}`, who === undefined ? { headers } : {})
  if (answer.status !== (who === undefined ? 200 : 401)) throw new Error(`${answer.status} ${await answer.text()}`)
  let bytes = 0
  for await (const chunk of answer.body!) bytes += chunk.length
  return bytes
}
