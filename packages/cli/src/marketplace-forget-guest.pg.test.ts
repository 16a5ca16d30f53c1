import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bookAsGuest, makeGuest } from '../../../test/support/guests.ts'
import { createMarketplaceDatabase } from '../../../test/support/marketplace.ts'
import type { TestDatabase } from '../../../test/support/postgres.ts'
import { runCli } from './run.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createMarketplaceDatabase()
})
afterAll(() => database.drop())

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const code = await runCli(['marketplace', 'forget-guest', ...args], {
    env: { DATABASE_URL: database.connectionString },
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    columns: 120,
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

it('says what forgetting a guest would do, does it when told to, and whom it does not know', async () => {
  const guest = await makeGuest(database.pool)
  await bookAsGuest(database.pool, guest)
  const there = async () =>
    (await database.pool.query('select from public.guest_sessions where id = $1', [guest.id])).rowCount
  expect(await run(guest.id)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/public\.bookings +anonymise +1\n[\s\S]*--yes/),
  })
  expect(await there()).toBe(1)
  const { code, out } = await run(guest.id, '--yes', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({
    forgotten: true,
    places: expect.arrayContaining([{ place: 'public.guest_sessions', action: 'delete', n: 1 }]),
  })
  expect(await there()).toBe(0)
  const unknown = JSON.parse((await run(randomUUID(), '--yes', '--json')).out)
  expect(unknown.places).toContainEqual({ place: 'public.guest_sessions', action: 'delete', n: 0 })
  expect(await run('ana@example.com')).toMatchObject({ code: 1, err: expect.stringContaining('22P02') })
  expect(await run()).toMatchObject({ code: 1, err: expect.stringContaining('Which guest?') })
})
