import { expect, it } from 'vitest'
import { createTestDatabase } from '../../../test/support/postgres.ts'
import { createPool } from './pool.ts'
import { requireMigrated } from './require-migrated.ts'

it('passes a database that is migrated, and one that does not answer; tells of one that is not migrated', async () => {
  const database = await createTestDatabase()
  await requireMigrated(database.pool)
  await database.pool.query('drop schema events_internal cascade')
  await expect(requireMigrated(database.pool)).rejects.toThrow('npx platform-events migrate')
  await database.drop()
  const away = createPool({ connectionString: 'postgres://nobody@127.0.0.1:1/nowhere', applicationName: 'test' })
  await requireMigrated(away)
  await away.end()
})
