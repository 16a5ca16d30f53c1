/**
 * Fills a database of its own for `analytics`, in the folder BENCH_DATA, and leaves it there: `tsx test/bench/analytics-fill.ts`.
 * BENCH_ROWS (10000000), BENCH_DAYS (90), BENCH_THIN (1: two small properties instead of about 290 bytes). Ten million rows take
 * about five minutes and 8 GB.
 */
import { createPool, migrate, startEmbeddedPostgres } from '@platform-events/postgres'
import { createLogger } from '@platform-events/runtime'
import { fillWithEvents } from './analytics-data.ts'

const dataDir = process.env['BENCH_DATA']
if (dataDir === undefined) throw new Error('BENCH_DATA names the folder to fill.')
const rows = Number(process.env['BENCH_ROWS'] ?? 10_000_000)
const days = Number(process.env['BENCH_DAYS'] ?? 90)
const server = await startEmbeddedPostgres({
  dataDir,
  logger: createLogger({ name: 'bench', level: 'silent' }),
  settings: { shared_buffers: '1GB', max_wal_size: '8GB', maintenance_work_mem: '512MB' },
})
try {
  await migrate(server.connectionString)
  const pool = createPool({
    connectionString: server.connectionString,
    applicationName: 'platform-events bench',
    max: 2,
  })
  const startedAt = Date.now()
  const endMs = Math.floor(Date.now() / 86_400_000) * 86_400_000
  const properties = process.env['BENCH_THIN'] !== '1'
  const onDay = (day: number): void => {
    if (day % 10 === 9) console.error(`day ${day + 1} of ${days}, ${Math.round((Date.now() - startedAt) / 1000)} s`)
  }
  await fillWithEvents(pool, { rows, days, users: 200_000, properties, seed: 1, endMs, onDay })
  await pool.end()
  console.log(`filled in ${Math.round((Date.now() - startedAt) / 1000)} s`)
} finally {
  await server.stop()
}
