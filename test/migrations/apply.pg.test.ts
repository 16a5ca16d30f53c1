import { createPool, migrate } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GROUNDS, type GroundDatabase, type GroundServer, startGround } from '../support/grounds.ts'
import { dumpSchema } from './schema-dump.ts'

describe.each(GROUNDS)('migrations on $name', (ground) => {
  let server: GroundServer

  beforeAll(async () => {
    server = await startGround(ground)
  })
  afterAll(async () => {
    await server.stop()
  })

  it('apply to two databases of one cluster at the same moment', async () => {
    const databases = await Promise.all([server.createDatabase(), server.createDatabase()])
    const results = await Promise.all(databases.map((database) => migrate(database.migratorUrl)))
    expect(results[0]!.applied.length).toBeGreaterThan(9)
    expect(results[1]).toEqual(results[0])
    for (const database of databases) await expectUsable(database)
  })

  it('apply once when two processes start at once, and nothing the second time', async () => {
    const database = await server.createDatabase()
    const results = await Promise.all([migrate(database.migratorUrl), migrate(database.migratorUrl)])
    expect(results.map((result) => result.applied.length).sort((a, b) => a - b)[0]).toBe(0)
    expect(await migrate(database.migratorUrl)).toEqual({ applied: [] })
    await expectUsable(database)
  })

  it('make the same schema everywhere', async () => {
    const database = await server.createDatabase()
    await migrate(database.migratorUrl)
    const pool = createPool({ connectionString: database.superuserUrl, applicationName: 'test', max: 1 })
    try {
      await expect(await dumpSchema(pool)).toMatchFileSnapshot('./schema.snapshot.txt')
    } finally {
      await pool.end()
    }
  })
})

async function expectUsable(database: GroundDatabase): Promise<void> {
  const pool = createPool({ connectionString: database.migratorUrl, applicationName: 'test', max: 1 })
  try {
    await pool.query(`insert into public.platform_events (event_type) values ('A')`)
    const { rows } = await pool.query('select * from public.get_event_counts_by_type()')
    expect(rows).toEqual([{ event_type: 'A', event_count: '1' }])
  } finally {
    await pool.end()
  }
}
