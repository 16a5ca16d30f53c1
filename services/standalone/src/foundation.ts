import { type CollectingLog, openCollectingLog } from '@platform-events/event-log'
import { closePool, createPool, type Pool } from '@platform-events/postgres'
import { type Component, type Logger, lockDirectory } from '@platform-events/runtime'
import { type Database, openDatabase } from './database.ts'
import { requireFreePort } from './port.ts'
import type { Settings } from './settings.ts'

/** What all the services stand on. Its `stop` releases everything, last acquired first. */
export interface Foundation extends Component {
  database: Database
  pool: Pool
  log: CollectingLog
}

/**
 * Takes the data folder for this process, opens the event log, starts Postgres where it is our own, and makes the pool.
 *
 * @throws an error whose message says in a sentence what is in the way; what was opened before is closed again
 */
export async function openFoundation(settings: Settings, logger: Logger): Promise<Foundation> {
  const releases: (() => Promise<void> | void)[] = []
  const stop = async (): Promise<void> => {
    for (const release of releases.splice(0).reverse()) await release()
  }
  try {
    const lock = await lockDirectory(settings.DATA_DIR)
    releases.push(() => lock.release())
    await requireFreePort(settings.HOST, settings.PORT)

    // Before Postgres, because a folder whose lock somebody removed is still held by the log's: nobody's Postgres is touched.
    const log = await openCollectingLog(settings, logger)
    releases.push(() => log.close())

    const database = await openDatabase(settings, logger)
    releases.push(() => database.stop())

    const pool = createPool({ connectionString: database.url, applicationName: 'platform-events standalone' })
    releases.push(() => closePool(pool))

    return { name: 'foundation', database, pool, log, start: async () => {}, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
