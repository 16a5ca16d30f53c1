import { setTimeout as delay } from 'node:timers/promises'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@platform-events/postgres'
import type { Logger } from '@platform-events/runtime'
import type { Settings } from './settings.ts'

/** The Postgres in use: the operator's, or one of our own. */
export interface Database {
  url: string
  embedded: boolean
  /** Sentences for the user: what was recovered, and where things were put. */
  notes: string[]
  stop(): Promise<void>
}

const RESTART_PAUSE_MS = 1000

/** The one that DATABASE_URL names, else a Postgres of our own under DATA_DIR, started again should it die. */
export async function openDatabase(settings: Settings, logger: Logger): Promise<Database> {
  if (settings.DATABASE_URL !== undefined) {
    return { url: settings.DATABASE_URL, embedded: false, notes: [], stop: async () => {} }
  }
  const dataDir = settings.DATA_DIR
  let stopped = false
  let current: Promise<EmbeddedPostgres>
  const launch = (): Promise<EmbeddedPostgres> => startEmbeddedPostgres({ dataDir, logger, onExit: restart })
  function restart(err: Error): void {
    logger.error({ err }, 'embedded Postgres died; starting it again')
    current = relaunch()
  }
  async function relaunch(): Promise<EmbeddedPostgres> {
    for (;;) {
      try {
        return await launch()
      } catch (err) {
        if (stopped) throw err
        logger.error({ err }, 'embedded Postgres does not start')
        await delay(RESTART_PAUSE_MS)
      }
    }
  }
  current = launch()
  const { connectionString, notes } = await current
  return {
    url: connectionString,
    embedded: true,
    notes,
    async stop() {
      stopped = true
      await current.then(
        (server) => server.stop(),
        () => undefined,
      )
    },
  }
}
