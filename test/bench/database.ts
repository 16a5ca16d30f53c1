import { createPool, type EmbeddedPostgres, migrate, type Pool, startEmbeddedPostgres } from '@platform-events/postgres'
import { createLogger } from '@platform-events/runtime'
import { makeDataDir } from '../support/data-dir.ts'
import { freezeTree } from '../support/process-tree.ts'

/** A Postgres of the benchmark's own, migrated, with one source, which can be away. */
export interface BenchDatabase {
  url: string
  writeKey: string
  pool: Pool
  /** Frozen: connections stay open and nothing answers. Stopped: connections are refused. @returns brings it back */
  goAway(how: 'frozen' | 'stopped'): Promise<() => Promise<void>>
  remove(): Promise<void>
}

export async function startBenchDatabase(): Promise<BenchDatabase> {
  const logger = createLogger({ name: 'bench', level: 'silent' })
  const dataDir = await makeDataDir()
  const start = (): Promise<EmbeddedPostgres> => startEmbeddedPostgres({ dataDir: dataDir.path, logger })
  let server = await start()
  const url = server.connectionString
  await migrate(url)
  const writeKey = 'pk_bench'
  const pool = createPool({ connectionString: url, applicationName: 'platform-events bench', max: 2 })
  await pool.query(
    `insert into events_internal.event_sources (name, write_key, user_ids) values ('bench', $1, 'trust')`,
    [writeKey],
  )
  return {
    url,
    writeKey,
    pool,
    async goAway(how) {
      if (how === 'frozen') {
        const thaw = freezeTree(server.pid)
        return async () => thaw()
      }
      await server.stop()
      return async () => {
        // On the port that it had before.
        server = await start()
      }
    },
    async remove() {
      await pool.end()
      await server.stop()
      await dataDir.remove()
    },
  }
}
