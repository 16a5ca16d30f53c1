import { randomBytes } from 'node:crypto'
import { type AddressInfo, connect, type Socket } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createMarketplaceDatabase, marketplaceApp } from '../../../../test/support/marketplace.ts'
import { makePerson, type Person } from '../../../../test/support/marketplace-people.ts'
import { platformToken } from '../../../../test/support/platform-token.ts'
import type { TestDatabase } from '../../../../test/support/postgres.ts'
import type { ExportLimits } from './export-reader.ts'
import { replyWithExport } from './export-reply.ts'

let database: TestDatabase
let ana: Person
beforeEach(async () => {
  database = await createMarketplaceDatabase()
  ana = await makePerson(database.pool)
})
afterEach(async () => {
  await database.drop()
})
const query = async <Row = Record<string, unknown>>(sql: string, values: unknown[] = []): Promise<Row[]> =>
  (await database.pool.query(sql, values)).rows as Row[]
const waiting = (seconds: number) =>
  vi.waitFor(
    async () =>
      expect(
        await query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
             and clock_timestamp() - query_start > make_interval(secs => $1)`,
          [seconds],
        ),
      ).toHaveLength(1),
    5000,
  )

describe('the reader of an export', () => {
  let app: FastifyInstance
  let socket: Socket
  let ended = 0
  afterEach(async () => {
    socket.destroy()
    await app.close()
  })
  async function begin(limits: ExportLimits): Promise<void> {
    ended = 0
    app = Fastify()
    app.get('/', (_request, reply) =>
      replyWithExport(reply, {
        pool: database.pool,
        userId: ana.id,
        format: 'json',
        onEnd: () => {
          ended += 1
        },
        limits,
      }),
    )
    await app.listen({ port: 0, host: '127.0.0.1' })
    socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  }
  const fill = () =>
    query('insert into public.notifications (user_id, body) select $1, $2 from generate_series(1, 24)', [
      ana.id,
      randomBytes(750_000).toString('base64'),
    ])
  const free = () =>
    query(
      `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`,
    )

  it.each([
    ['takes nothing', { totalMs: 60_000, leastBytesPerSecond: 64_000, overMs: 300 }],
    ['is there for too long', { totalMs: 500, leastBytesPerSecond: 0, overMs: 60_000 }],
  ])('is given up who %s', async (_, limits) => {
    await fill()
    await begin(limits)
    socket.once('data', () => socket.pause())
    await vi.waitFor(() => expect(ended).toBe(1), 5000)
    await vi.waitFor(async () => expect(await free()).toEqual([]), 5000)
  })

  it('is not given up for what Postgres takes', async () => {
    const other = await database.pool.connect()
    try {
      await other.query('begin; lock table public.notifications')
      await begin({ totalMs: 60_000, leastBytesPerSecond: 64_000, overMs: 100 })
      let body = ''
      socket.on('data', (chunk) => {
        body += chunk
      })
      await waiting(1)
      expect(ended).toBe(0)
      await other.query('commit')
      await vi.waitFor(() => expect(body).toMatch(/\}\n\r\n0\r\n\r\n$/), 5000)
    } finally {
      other.release(true)
    }
  })
})

describe('the bounds of an account', () => {
  let app: FastifyInstance
  beforeEach(async () => {
    app = await marketplaceApp(database)
  })
  afterEach(async () => {
    await app.close()
  })
  const ask = (person: Person, method: 'GET' | 'DELETE' = 'GET') =>
    app.inject({
      method,
      url: method === 'GET' ? '/api/account/export' : '/api/account',
      headers: { authorization: `Bearer ${platformToken({ sub: person.id })}` },
    })

  it('lets in who has a token, however many at the address have none', async () => {
    const strange = async () => (await app.inject({ url: '/api/account/export' })).json().code
    for (let n = 0; n < 200; n += 1) expect(await strange()).toBe('sign_in_required')
    expect(await strange()).toBe('rate_limited')
    expect((await ask(ana)).statusCode).toBe(200)
  })

  it('counts no export that did not begin, and no deletion that Postgres could not do', async () => {
    const other = await database.pool.connect()
    try {
      await other.query('begin; lock table auth.users')
      const first = ask(ana)
      await waiting(0)
      for (let n = 0; n < 20; n += 1) expect((await ask(ana)).json()).toMatchObject({ code: 'rate_limited' })
      const deletion = ask(ana, 'DELETE')
      await vi.waitFor(async () => expect(await query(`select from pg_locks where not granted`)).toHaveLength(2), 5000)
      expect((await ask(ana, 'DELETE')).json().message).toContain('under way')
      expect((await deletion).json()).toMatchObject({ code: 'database_unavailable', retryable: true })
      await other.query('commit')
      expect((await first).statusCode).toBe(200)
    } finally {
      other.release(true)
    }
    for (let n = 0; n < 9; n += 1) expect((await ask(ana)).statusCode).toBe(200)
    expect((await ask(ana)).json().code).toBe('rate_limited')
    expect((await ask(ana, 'DELETE')).statusCode).toBe(200)
  })

  it('runs two deletions in a process at once, and leaves the pool to others', async () => {
    const people = [ana, await makePerson(database.pool), await makePerson(database.pool)]
    const other = await database.pool.connect()
    try {
      await other.query('begin; lock table public.profiles')
      const running = people.slice(0, 2).map((person) => ask(person, 'DELETE'))
      await vi.waitFor(async () => expect(await query(`select from pg_locks where not granted`)).toHaveLength(2), 5000)
      expect((await ask(people[2]!, 'DELETE')).json()).toMatchObject({ code: 'rate_limited' })
      await other.query('commit')
      for (const answer of await Promise.all(running)) expect(answer.statusCode, answer.body).toBe(200)
    } finally {
      other.release(true)
    }
    expect((await ask(people[2]!, 'DELETE')).statusCode).toBe(200)
  })
})
