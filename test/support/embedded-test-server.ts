import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedPostgres, type PostgresBinaries, startEmbeddedPostgres } from '@platform-events/postgres'
import { createLogger } from '@platform-events/runtime'
import { clearLeftOver } from '../../packages/postgres/src/embedded-leftover.ts'

/** A throwaway server: fast, not durable, and gone without a trace when stopped. */
export async function startTestServer(binaries?: PostgresBinaries): Promise<EmbeddedPostgres> {
  await sweep()
  const dataDir = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`))
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

const PREFIX = 'platform-events-test-'

/** Ends and removes what test runs that were killed have left. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN
    if (Number.isNaN(pid) || isAlive(pid)) continue
    const folder = join(tmpdir(), name)
    // What belongs to another user is theirs to sweep.
    await clearLeftOver(join(folder, 'postgres'), [])
      .then(() => rm(folder, { recursive: true, force: true }))
      .catch(() => undefined)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
