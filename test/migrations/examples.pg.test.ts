import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await database.pool.query(
    `insert into public.platform_events (event_type, session_id) values ('SearchStarted', 's'), ('BookingConfirmed', 's')`,
  )
})
afterAll(() => database.drop())

const asText = { getTypeParser: () => (text: string) => text }

/** The first cell that a statement answers, as text; what went wrong, if it did not. */
const answer = async (sql: string): Promise<string | null | undefined> => {
  try {
    const { rows } = await database.pool.query<(string | null)[]>({
      text: sql,
      rowMode: 'array',
      types: asText,
    } as never)
    return rows[0]?.[0]
  } catch (error) {
    return (error as Error).message
  }
}

describe('the example in the comment of a function', () => {
  it('can be called, and answers what stands behind it', async () => {
    const { rows } = await database.pool.query<{ name: string; example: string }>(
      `select p.oid::regprocedure::text as name, substring(d.description from 'Example: (select .*)$') as example
       from pg_proc p join pg_description d on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass
       where d.description like '%Example: select %'`,
    )
    expect(rows.length).toBeGreaterThan(60)
    for (const { name, example } of rows) {
      const [sql, expected] = example.split(' -- ')
      if (expected === undefined) await expect(database.pool.query(sql!), name).resolves.toBeDefined()
      else expect(`${name}: ${await answer(sql!)}`).toBe(`${name}: ${expected}`)
    }
  })
})
