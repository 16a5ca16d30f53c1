import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openEventLog } from '@platform-events/event-log'
import { createPool } from '@platform-events/postgres'
import { createLogger } from '@platform-events/runtime'
import { makeDataDir } from '../support/data-dir.ts'
import { freePort } from '../support/process.ts'
import { startManaged } from './managed-process.ts'
import { untilReady } from './readiness.ts'
import type { System } from './system.ts'
import { startTcpProxy } from './tcp-proxy.ts'

/** One standalone process with its embedded Postgres and the local log, as `npm start` runs it. */
export async function startLocalSystem(onDeath: (name: string, lastWords: string) => void): Promise<System> {
  const dataDir = await makeDataDir()
  const port = await freePort()
  const standalone = startManaged({
    name: 'standalone',
    port,
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    args: ['infra/run.mjs', 'start'],
    env: { DATA_DIR: dataDir.path, KAFKA_BROKERS: '', DATABASE_URL: '' },
    logs: dataDir.path,
    onDeath,
  })
  const door = await startTcpProxy(() => [port])
  const stop = async (keepData: boolean): Promise<void> => {
    await standalone.stop()
    await door.close()
    if (!keepData) await dataDir.remove()
  }
  try {
    await untilReady([port])
    const access = JSON.parse(await readFile(join(dataDir.path, 'access.json'), 'utf8'))
    const sourceId = await sourceOf(access.database_url, access.write_key)
    return {
      url: `http://127.0.0.1:${door.port}`,
      writeKey: access.write_key,
      databaseUrl: access.database_url,
      sourceId,
      folder: dataDir.path,
      processes: [standalone],
      door,
      database: null,
      broker: null,
      addConsumer: null,
      // The process starts its Postgres again by itself.
      async crashPostgres() {
        const file = join(dataDir.path, 'postgres', 'postmaster.pid')
        const pid = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10)
        if (Number.isNaN(pid)) return 'passed over: it is away already'
        process.kill(pid, 'SIGQUIT')
        return undefined
      },
      async appendToLog(records, downMs) {
        if (standalone.state() !== 'up') return 'passed over: the process is down or frozen'
        // One process at a time may open the log: killed, it leaves room for us.
        await standalone.kill(downMs, async () => {
          const log = await openEventLog({ DATA_DIR: dataDir.path }, createLogger({ name: 'chaos', level: 'silent' }))
          await log.append(records)
          await log.close()
        })
        return 'into the log while standalone was killed'
      },
      stop,
    }
  } catch (error) {
    await stop(false)
    throw error
  }
}

async function sourceOf(databaseUrl: string, writeKey: string): Promise<number> {
  const pool = createPool({ connectionString: databaseUrl, applicationName: 'chaos', max: 1 })
  try {
    const { rows } = await pool.query('select source_id from events_internal.event_sources where write_key = $1', [
      writeKey,
    ])
    return rows[0].source_id
  } finally {
    await pool.end()
  }
}
