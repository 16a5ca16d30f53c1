import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedPostgres, type PostgresBinaries, startEmbeddedPostgres } from '@platform-events/postgres'
import { createLogger } from '@platform-events/runtime'

/** A throwaway server: fast, not durable, and gone without a trace when stopped. */
export async function startTestServer(binaries?: PostgresBinaries): Promise<EmbeddedPostgres> {
  const dataDir = await mkdtemp(join(tmpdir(), 'platform-events-test-'))
  // As root the server has a user of its own, who must be able to come in.
  await chmod(dataDir, 0o755)
  const server = await startEmbeddedPostgres({
    dataDir,
    logger: createLogger({ name: 'test', level: 'warn' }),
    ...(binaries ? { binaries } : {}),
    settings: {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      max_connections: '200',
      autovacuum: 'off',
    },
  })
  return {
    ...server,
    async stop() {
      await server.stop()
      for (const folder of [server.dataFolder, dataDir]) await rm(folder, { recursive: true, force: true })
    },
  }
}
