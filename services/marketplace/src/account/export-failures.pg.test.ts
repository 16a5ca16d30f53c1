import { randomBytes } from 'node:crypto'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createMarketplaceDatabase, marketplaceApp } from '../../../../test/support/marketplace.ts'
import { makePerson, type Person } from '../../../../test/support/marketplace-people.ts'
import { platformToken } from '../../../../test/support/platform-token.ts'
import type { TestDatabase } from '../../../../test/support/postgres.ts'
import { unzip } from '../../../../test/support/unzip.ts'

/** Of a megabyte each. */
const ROWS = 24

let database: TestDatabase
let app: FastifyInstance
let ana: Person
const sockets: Socket[] = []
const uncaught: unknown[] = []
const keep = (error: unknown) => uncaught.push(error)
const query = async <Row = Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<Row[]> =>
  (await database.pool.query(sql, values)).rows as Row[]

beforeEach(async () => {
  database = await createMarketplaceDatabase()
  app = await marketplaceApp(database)
  ana = await makePerson(database.pool)
  // More than the sockets' buffers take, and nothing that compresses: the same again is too far away for that.
  const text = randomBytes(750_000).toString('base64')
  await query('insert into public.notifications (user_id, body) select $1, $2 from generate_series(1, $3::int)', [
    ana.id,
    text,
    ROWS,
  ])
  await app.listen({ port: 0, host: '127.0.0.1' })
  process.on('uncaughtException', keep)
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await app.close()
  await database.drop()
  process.off('uncaughtException', keep)
  expect(uncaught.splice(0)).toEqual([])
})

/** Writes a request by hand. */
function ask(path: string, method = 'GET'): Socket {
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => undefined)
  socket.write(
    `${method} ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${platformToken({ sub: ana.id })}\r\n\r\n`,
  )
  return socket
}
const copies = () =>
  query<{ pid: number }>(
    `select pid from pg_stat_activity where datname = current_database() and query like 'copy (%' and state = 'active'`,
  )
const copying = () =>
  vi.waitFor(async () => {
    const found = await copies()
    expect(found).not.toEqual([])
    return found[0]!.pid
  }, 5000)
const sessions = () =>
  query(
    `select pid, state, query from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`,
  )
/** Nothing is held any more, and the next export is whole. */
async function isWell(): Promise<void> {
  await vi.waitFor(async () => expect(await sessions()).toEqual([]), 5000)
  await vi.waitFor(async () => {
    const answer = await app.inject({
      url: '/api/account/export?format=zip',
      headers: { authorization: `Bearer ${platformToken({ sub: ana.id })}` },
    })
    expect(answer.statusCode, answer.body.slice(0, 200)).toBe(200)
    expect(unzip(answer.rawPayload)['notifications.csv']!.split('\n').length).toBe(ROWS + 3)
  }, 5000)
  expect(uncaught).toEqual([])
}

it.each(['zip', 'json'])('lives on where the reader of a %s resets in the middle', async (format) => {
  const socket = ask(`/api/account/export?format=${format}`)
  socket.once('data', () => socket.pause())
  await copying()
  socket.resetAndDestroy()
  await isWell()
})

it.each(['zip', 'json'])('lives on where Postgres ends the session of a %s in the middle', async (format) => {
  const socket = ask(`/api/account/export?format=${format}`)
  socket.once('data', () => socket.pause())
  await query('select pg_terminate_backend($1)', [await copying()])
  const closed = new Promise((resolve) => socket.once('close', resolve))
  let last = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    last = chunk
  })
  socket.resume()
  await closed
  expect(last.subarray(-5).toString()).not.toBe('0\r\n\r\n')
  await isWell()
})

it('has no HEAD, which would read everything to send nothing', async () => {
  const socket = ask('/api/account/export?format=zip', 'HEAD')
  const [head] = await new Promise<Buffer[]>((resolve) => socket.once('data', (chunk) => resolve([chunk])))
  expect(String(head)).toMatch(/^HTTP\/1.1 404 /)
  await isWell()
})

it('holds nothing of readers who hang up, at whatever moment', async () => {
  for (let n = 0; n < 40; n += 1) {
    const socket = ask(`/api/account/export?format=${n % 2 === 0 ? 'json' : 'zip'}`)
    await new Promise((resolve) => socket.once('connect', resolve))
    await new Promise((resolve) => setTimeout(resolve, (n * 30) / 40))
    socket.resetAndDestroy()
  }
  await vi.waitFor(async () => expect(await sessions()).toEqual([]), 5000)
  expect(uncaught).toEqual([])
  // The hour's exports of this one may be used up, but none is under way.
  const again = await app.inject({
    url: '/api/account/export',
    headers: { authorization: `Bearer ${platformToken({ sub: ana.id })}` },
  })
  expect(again.body.slice(0, 300)).not.toContain('under way')
})
