import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { MigrationError } from './migration-files.ts'
import { createPool } from './pool.ts'
import { isAway, isRefusal } from './refused.ts'

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  )
}

it.each(['postgres://u@127.0.0.1:1/x', 'postgres://u@no-such-host.invalid/x', 'postgres:///x?host=/nowhere'])(
  'nobody answers at %s: away',
  async (connectionString) => {
    const pool = createPool({ connectionString, applicationName: 'test' })
    const error = await errorOf(pool.query('select 1'))
    expect(isAway(error)).toBe(true)
    expect(isRefusal(error)).toBe(false)
    await pool.end()
  },
)

it('a file that cannot be read, a fault of ours, a migration that fails: not away', async () => {
  expect(isAway(await errorOf(readFile('/no/such/file')))).toBe(false)
  expect(isAway(new TypeError('undefined is not a function'))).toBe(false)
  expect(isAway(new MigrationError('0001_first.sql failed'))).toBe(false)
})
