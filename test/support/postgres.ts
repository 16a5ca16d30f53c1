import { randomBytes } from 'node:crypto'
import { createPool, type Pool } from '@platform-events/postgres'
import { inject } from 'vitest'

export interface TestDatabase {
  connectionString: string
  pool: Pool
  /** Closes the pool and drops the database, whoever is still connected. */
  drop(): Promise<void>
}

/** A database of one's own, cloned from the migrated template. */
export async function createTestDatabase(): Promise<TestDatabase> {
  return await cloneDatabase(inject('postgresTemplate'))
}

/** A database of one's own that is a copy of this one. */
export async function cloneDatabase(template: string): Promise<TestDatabase> {
  const name = `platform_events_test_${randomBytes(6).toString('hex')}`
  await administer(`create database ${name} template ${template}`)
  const url = new URL(inject('postgresUrl'))
  url.pathname = `/${name}`
  const pool = createPool({ connectionString: url.href, applicationName: 'platform-events test' })
  return {
    connectionString: url.href,
    pool,
    async drop() {
      await pool.end()
      await administer(`drop database if exists ${name} with (force)`)
    },
  }
}

async function administer(sql: string): Promise<void> {
  const admin = createPool({
    connectionString: inject('postgresUrl'),
    applicationName: 'platform-events tests',
    max: 1,
  })
  try {
    await admin.query(sql)
  } finally {
    await admin.end()
  }
}
