import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createPool, type EmbeddedPostgres, type Pool, startEmbeddedPostgres } from '@platform-events/postgres'
import { createLogger } from '@platform-events/runtime'

const run = promisify(execFile)

/** A Postgres as who attacks it sees it. */
export interface PostgresServer {
  /** Past every proxy, and past what the attacker sets for others: read-only, statement timeouts. */
  pool: Pool
  url: string
  /** Ends it by SIGQUIT (`pg_ctl stop -m immediate`); it is started again after `downMs`, where that is up to us. */
  crash(downMs: number): Promise<string | undefined>
  /** SIGSTOP for a while: of the postmaster alone, so that nobody gets a new connection, or of every backend, too. */
  freeze(ms: number, everyBackend: boolean): Promise<string | undefined>
}

/** @param folder the DATA_DIR that it lies in */
export function postgresIn(folder: string, url: string, restartsAfter: (ms: number) => void): PostgresServer {
  const freely = new URL(url)
  freely.searchParams.set('options', '-c default_transaction_read_only=off -c statement_timeout=0')
  const pidFile = join(folder, 'postgres', 'postmaster.pid')
  const pidNow = async (): Promise<number | null> => {
    const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10)
    return Number.isNaN(pid) ? null : pid
  }
  return {
    url,
    pool: createPool({ connectionString: freely.href, applicationName: 'chaos', max: 5 }),
    async crash(downMs) {
      const pid = await pidNow()
      if (pid === null) return AWAY
      restartsAfter(downMs)
      signal([pid], 'SIGQUIT')
      return undefined
    },
    async freeze(ms, everyBackend) {
      const pid = await pidNow()
      if (pid === null) return AWAY
      const frozen = [pid]
      signal(frozen, 'SIGSTOP')
      // It makes no others now.
      if (everyBackend) frozen.push(...(await childrenOf(pid)))
      signal(frozen.slice(1), 'SIGSTOP')
      await sleep(ms)
      signal(frozen.reverse(), 'SIGCONT')
      return undefined
    },
  }
}

const AWAY = 'passed over: it is away already'

/** One of our own, which comes back on the same port and data whenever it ends. */
export async function startOwnPostgres(
  folder: string,
  onTrouble: (name: string, says: string) => void,
): Promise<PostgresServer & { port: number; stop(): Promise<void> }> {
  const logger = createLogger({ name: 'chaos', level: 'silent' })
  let stopped = false
  let pauseMs = 0
  const launch = (): Promise<EmbeddedPostgres> => startEmbeddedPostgres({ dataDir: folder, logger, onExit: again })
  const again = (): void => {
    current = relaunch()
  }
  const relaunch = async (): Promise<EmbeddedPostgres> => {
    await sleep(stopped ? 0 : pauseMs)
    return launch().catch((error: Error) => {
      // The next SIGQUIT may come while it still starts.
      onTrouble('Postgres', error.message)
      return relaunch()
    })
  }
  let current = launch()
  const { connectionString, port } = await current
  const server = postgresIn(folder, connectionString, (ms) => {
    pauseMs = ms
  })
  return {
    ...server,
    port,
    async stop() {
      stopped = true
      await server.pool.end()
      await (await current).stop()
    },
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await run('pgrep', ['-P', String(pid)]).catch(() => ({ stdout: '' }))
  return stdout.split('\n').filter(Boolean).map(Number)
}

function signal(pids: number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch {}
  }
}
