import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { readOnly, readWrite } from './read-only.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

it('writes nothing', async () => {
  const write = readOnly(database.pool, (client) =>
    client.query(`insert into public.platform_events (event_type) values ('x')`),
  )
  await expect(write).rejects.toMatchObject({ code: '25006' })
})

it('bounds a statement', async () => {
  const slow = readOnly(database.pool, (client) => client.query('select pg_sleep(5)'), 50)
  await expect(slow).rejects.toMatchObject({ code: 'query_timeout' })
})

it('tells a backend that was ended from our own faults', async () => {
  const ended = readOnly(database.pool, (client) => client.query('select pg_terminate_backend(pg_backend_pid())'))
  await expect(ended).rejects.toMatchObject({ code: 'database_unavailable' })
  await expect(readOnly(database.pool, (client) => client.query('select nothing'))).rejects.toMatchObject({
    code: '42703',
  })
  await expect(readOnly(database.pool, (client) => client.query(`select 'x'::timestamptz`))).rejects.toMatchObject({
    code: 'invalid_query',
  })
})

it('tells a server that takes no writes now from our own faults', async () => {
  const write = (): Promise<unknown> =>
    readWrite(database.pool, async (client) => {
      await client.query('set local transaction_read_only = on')
      await client.query(`insert into public.platform_events (event_type) values ('x')`)
    })
  await expect(write()).rejects.toMatchObject({ code: 'database_unavailable' })
})
