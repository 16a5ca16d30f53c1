import { migrateMarketplace, type Pool } from '@platform-events/postgres'
import { type Ground, startMigrated } from './grounds.ts'

/** A ground with one database that has the core and the marketplace, and the platform's own tables in their minimal form. */
export async function startMarketplace(
  ground: Ground,
): Promise<{ pool: Pool; superuser: Pool; stop(): Promise<void> }> {
  const database = await startMigrated(ground)
  const client = await database.pool.connect()
  try {
    await migrateMarketplace(client, { development: true })
  } catch (error) {
    client.release(true)
    await database.stop()
    throw error
  }
  client.release()
  return database
}
