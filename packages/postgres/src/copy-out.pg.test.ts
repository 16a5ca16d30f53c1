import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { copyOut } from './copy-out.ts'
import { inTransaction } from './transaction.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

it('gives every row, also those larger than what comes at once, and nulls', async () => {
  const read: [number, string | null][] = []
  const sql = `copy (select n, case when n % 3 > 0 then repeat('é', n * n) end from generate_series(0, 900, 25) n order by n)
                 to stdout (format binary)`
  await inTransaction(database.pool, (client) =>
    copyOut(client, sql, 2, (bytes, starts, sizes) => {
      const text = sizes[1]! < 0 ? null : bytes.toString('utf8', starts[1], starts[1]! + sizes[1]!)
      read.push([bytes.readInt32BE(starts[0]), text])
    }),
  )
  expect(read).toHaveLength(37)
  for (const [n, text] of read) expect(text).toBe(n % 3 > 0 ? 'é'.repeat(n * n) : null)
})

it('gives no row of nothing', async () => {
  let rows = 0
  await inTransaction(database.pool, (client) =>
    copyOut(client, 'copy (select 1 where false) to stdout (format binary)', 1, () => {
      rows += 1
    }),
  )
  expect(rows).toBe(0)
})

it('throws what ended the statement, or its reader, and leaves the connection usable', async () => {
  const client = await database.pool.connect()
  const copy = (select: string, onRow = () => {}) =>
    copyOut(client, `copy (${select}) to stdout (format binary)`, 1, onRow)
  await expect(copy('select 1 / (100000 - n) from generate_series(1, 200000) n')).rejects.toMatchObject({
    code: '22012',
  })
  const refuse = () => {
    throw new Error('not this row')
  }
  await expect(copy('select generate_series(1, 100000)', refuse)).rejects.toThrow('not this row')
  await expect(copy('select nothing')).rejects.toMatchObject({ code: '42703' })
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  client.release()
})
