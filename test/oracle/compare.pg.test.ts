import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { ALL_FORMS, compareForm, storeWorld } from './compare.ts'
import { makeWorld } from './data-sets.ts'
import { type Service, startService } from './service.ts'
import { printed, smallest } from './smallest.ts'

const SETS = 50
const WORLDS = 10
const today = Math.floor(Date.now() / 86_400_000) * 86_400_000_000
const seed = Number(process.env['ORACLE_SEED'] ?? Math.floor(Math.random() * 1e6))

// 500 data sets of every form; `npm run oracle` compares more.
describe(`SQL and the API equal brute force (ORACLE_SEED=${seed})`, () => {
  let database: TestDatabase
  let service: Service
  beforeAll(async () => {
    database = await createTestDatabase()
    service = await startService(database.pool)
  })
  afterAll(async () => {
    await service?.close()
    await database?.drop()
  })

  it.each(Array.from({ length: WORLDS }, (_, index) => seed + index))('in world %i', async (worldSeed) => {
    const world = makeWorld(worldSeed, SETS, today)
    await storeWorld(service, world)
    for (const form of ALL_FORMS) {
      const found = await compareForm(service, world, form)
      if (found) expect.fail(`${form}\n${printed(await smallest(service, found))}`)
    }
  })
})
