import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMarketplaceDatabase, marketplaceApp } from '../support/marketplace.ts'
import type { TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createMarketplaceDatabase()
})
afterAll(() => database.drop())

it('makes the platform tables for development', async () => {
  const app = await marketplaceApp(database)
  expect((await app.inject('/readyz')).statusCode).toBe(200)
  await app.close()
  const { rows } = await database.pool.query(
    `select count(*)::int as n from pg_class where obj_description(oid) like 'Minimal form for%'`,
  )
  expect(rows).toEqual([{ n: 7 }])
})
