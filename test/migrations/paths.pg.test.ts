import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { emptyTables } from '../support/empty-tables.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { linesOf, refusalOf, storeLines } from './counts-lines.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
afterEach(() => emptyTables(database.pool, 'public.platform_events', 'events_internal.session_users'))

const paths = (sql: string) => linesOf(database.pool, `select * from public.paths(${sql})`)
const RANGE = `'2026-11-02', '2026-11-04'`

describe('paths', () => {
  it('follow an event, the same type again in a row being one step, as far as depth and window go', async () => {
    await storeLines(
      database.pool,
      ...['ana', 'ben'].flatMap((who) => [
        `2026-11-02T09:00:00Z Search ${who}`,
        `2026-11-02T09:01:00Z View ${who}`,
        `2026-11-02T09:02:00Z View ${who}`,
        `2026-11-02T09:03:00Z Book ${who}`,
        `2026-11-02T09:04:00Z Review ${who}`,
      ]),
      '2026-11-03T09:30:00Z Search ben',
      '2026-11-03T10:30:00.000001Z View ben',
    )
    expect(await paths(`'Search', null, ${RANGE}, 3, '1 hour'`)).toEqual([
      '{Search,View,Book} | 2 | 2',
      '{Search} | 1 | 1',
    ])
    expect(await paths(`'Search', null, ${RANGE}, 10, '1 day'`)).toEqual([
      '{Search,View,Book,Review} | 2 | 2',
      '{Search,View} | 1 | 1',
    ])
    expect(await paths(`'Search', null, ${RANGE}, 10, '1 day', '{Search,Book}', 1`)).toEqual(['{Search,Book} | 2 | 2'])
  })

  it('lead to an event, read in the order in which they happened', async () => {
    await storeLines(
      database.pool,
      '2026-11-02T09:00:00Z Search ana',
      '2026-11-02T09:00:00Z View ana',
      '2026-11-02T09:01:00Z Book ana',
      '2026-11-02T09:01:00Z Book ana',
    )
    expect(await paths(`null, 'Book', ${RANGE}`)).toEqual(['{Search,View,Book} | 1 | 1'])
    expect(await paths(`null, 'Book', ${RANGE}, 2`)).toEqual(['{View,Book} | 1 | 1'])
    expect(await paths(`null, 'Book', ${RANGE}, 2, '59 seconds'`)).toEqual(['{Book} | 1 | 1'])
  })

  it('begin anew within a run of starts only when the window of the last is over', async () => {
    await storeLines(
      database.pool,
      ...['09:00', '09:40', '10:00', '10:01', '11:30'].map((at) => `2026-11-02T${at}:00Z Search ana`),
      '2026-11-02T11:31:00Z View ana',
    )
    // 09:00 takes in what came until 10:00, 10:01 begins anew, 11:30 once more.
    expect(await paths(`'Search', null, ${RANGE}, 5, '1 hour'`)).toEqual(['{Search} | 1 | 2', '{Search,View} | 1 | 1'])
    expect(await paths(`'Search', null, ${RANGE}, 5, '1 day'`)).toEqual(['{Search,View} | 1 | 1'])
  })

  it('of a guest who logs in go on, and events of nobody have none', async () => {
    await storeLines(
      database.pool,
      '2026-11-02T09:00:00Z Search - phone',
      '2026-11-02T09:01:00Z Login ana phone',
      '2026-11-02T09:02:00Z Book ana laptop',
      '2026-11-02T09:00:00Z Search - -',
    )
    expect(await paths(`'Search', null, ${RANGE}`)).toEqual(['{Search,Login,Book} | 1 | 1'])
  })

  it('refuse what has no answer', async () => {
    await storeLines(database.pool, '2026-11-02T09:00:00Z Search ana', '2026-11-02T09:00:00Z View ana')
    for (const [asked, message] of [
      [`'Search', 'View'`, 'paths have a start or an end, and not both'],
      [`null, null`, 'paths have a start or an end, and not both'],
      [`'Serch', null`, 'no event of type Serch has ever come; did you mean Search?'],
      [`'Search', null, ${RANGE}, 1`, 'the depth of paths is 2 to 10'],
      [`'Search', null, ${RANGE}, 11`, 'the depth of paths is 2 to 10'],
      [`'Search', null, ${RANGE}, 5, '0'`, 'the window of paths is longer than nothing and at most 366 days'],
      [`'Search', null, ${RANGE}, 5, '10 years'`, 'the window of paths is longer than nothing and at most 366 days'],
      [`'Search', null, ${RANGE}, 5, '1 day', '{Vew}'`, 'no event of type Vew has ever come; did you mean View?'],
      [`'Search', null, ${RANGE}, 5, '1 day', null, 0`, 'the limit is 1 to 10000'],
      [`'Search', null, '2026-11-03', '2026-11-02'`, 'the range of time ends before it begins'],
    ] as const)
      expect(await refusalOf(database.pool, `select * from public.paths(${asked})`), asked).toMatchObject({
        code: '22023',
        message,
      })
  })
})
