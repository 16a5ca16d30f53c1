import { createServer } from 'node:net'
import { createLogger } from '@platform-events/runtime'
import { expect, it, vi } from 'vitest'
import { createTestDatabase } from '../../../test/support/postgres.ts'
import { migrate } from './migrate.ts'
import { createPool } from './pool.ts'
import { requireMigrated } from './require-migrated.ts'

const logger = createLogger({ name: 'test', level: 'silent' })

it('passes a database that is migrated, and one that does not answer', async () => {
  const database = await createTestDatabase()
  await requireMigrated(database.pool, logger)
  await database.drop()
  const away = createPool({ connectionString: 'postgres://nobody@127.0.0.1:1/nowhere', applicationName: 'test' })
  await requireMigrated(away, logger)
  await away.end()
})

it('passes a host that takes connections and says nothing, within seconds', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => silent.once('listening', resolve))
  const { port } = silent.address() as { port: number }
  const pool = createPool({ connectionString: `postgres://u@127.0.0.1:${port}/x`, applicationName: 'test' })
  const begun = performance.now()
  await requireMigrated(pool, logger)
  expect(performance.now() - begun).toBeLessThan(5000)
  silent.close()
})

it('tells of a database that nobody has migrated, and waits for one who is at it', async () => {
  const database = await createTestDatabase()
  await database.pool.query('drop schema events_internal cascade')
  await expect(requireMigrated(database.pool, logger, 0)).rejects.toThrow('npx platform-events migrate')

  await database.pool.query('drop schema public cascade; create schema public')
  // Holds the migration up, in the middle of its transaction, until it is released.
  const holder = await database.pool.connect()
  await holder.query('begin; create schema events_internal')
  const migrating = migrate(database.connectionString)
  await vi.waitFor(async () => {
    const { rows } = await database.pool.query(`select from pg_stat_activity where wait_event_type = 'Lock'
      and application_name = 'platform-events migrate' and datname = current_database()`)
    expect(rows).toHaveLength(1)
  })
  const waiting = requireMigrated(database.pool, logger, 0)
  const early = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 500, 'still waiting'))])
  expect(early).toBe('still waiting')
  await holder.query('rollback')
  holder.release()
  await migrating
  await waiting
  await database.drop()
})

it.each([
  ['password', /password authentication failed/],
  ['database', /database "\w+" does not exist/],
])('tells of a wrong %s in a sentence', async (wrong, says) => {
  const database = await createTestDatabase()
  const url = new URL(database.connectionString)
  if (wrong === 'password') url.password = 'not-this-one'
  else url.pathname = '/nowhere'
  const pool = createPool({ connectionString: url.href, applicationName: 'test' })
  const refusal = expect(requireMigrated(pool, logger)).rejects
  await refusal.toThrow(says)
  await pool.end()
  await database.drop()
})
