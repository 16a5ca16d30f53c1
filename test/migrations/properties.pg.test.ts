import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { linesOf, refusalOf, storeLines } from './counts-lines.ts'

let database: TestDatabase
const RANGE = `'2026-11-02', '2026-11-03'`

beforeAll(async () => {
  database = await createTestDatabase()
  await storeLines(
    database.pool,
    '2026-11-02T09:00:00Z Search - phone {"city":"Cali","n":1}',
    '2026-11-02T09:01:00Z Search ana phone {"city":"Cali","n":1}',
    '2026-11-02T09:02:00Z Search ben - {"city":"Bogotá","n":"1"}',
    '2026-11-02T09:03:00Z Search ben - {"city":null}',
    '2026-11-02T09:04:00Z Book ben - {"total":5,"tags":["a"]}',
    '2026-11-03T00:00:00Z Search ben - {"city":"Lima"}',
  )
})
afterAll(() => database.drop())

describe('top_values', () => {
  it('lists the values by how often they came, with exact actors and their share of all the type’s events', async () => {
    expect(await linesOf(database.pool, `select * from public.top_values('Search', 'city', ${RANGE})`)).toEqual([
      'Cali | 2 | 1 | 0.500000',
      'Bogotá | 1 | 1 | 0.250000',
    ])
    expect(await linesOf(database.pool, `select * from public.top_values('Search', 'city', ${RANGE}, 1)`)).toHaveLength(
      1,
    )
    expect(await linesOf(database.pool, `select * from public.top_values('Search', 'no''t', ${RANGE})`)).toEqual([])
  })

  it('refuses what has no answer', async () => {
    for (const [asked, message] of [
      [`'Serch', 'city'`, 'no event of type Serch has ever come; did you mean Search?'],
      [`null, 'city'`, 'an event type is null'],
      [`'Search', null`, 'no property is named'],
      [`'Search', 'city', p_limit => 1001`, 'the limit is 1 to 1000'],
    ] as const)
      expect(await refusalOf(database.pool, `select * from public.top_values(${asked})`), asked).toMatchObject({
        code: '22023',
        message,
      })
  })
})

describe('event_properties', () => {
  it('shows what properties a type has: JSON types, how often filled, how many values, the most frequent', async () => {
    expect(await linesOf(database.pool, `select * from public.event_properties('Search', ${RANGE})`)).toEqual([
      'Search | city | {"null",string} | 0.750000 | 2 | {Cali,Bogotá}',
      'Search | n | {number,string} | 0.750000 | 1 | {1}',
    ])
  })

  it('shows every type that came, when none is named', async () => {
    expect(
      await linesOf(database.pool, `select event_type, property, types from public.event_properties(null, ${RANGE})`),
    ).toEqual([
      'Book | tags | {array}',
      'Book | total | {number}',
      'Search | city | {"null",string}',
      'Search | n | {number,string}',
    ])
  })
})
