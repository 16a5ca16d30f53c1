import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { createPool, type Pool } from './pool.ts'
import { classify, sqlstateOf } from './sqlstate.ts'
import { inTransaction } from './transaction.ts'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await createTestDatabase()
  pool = createPool({ connectionString: database.connectionString, applicationName: 'tested', max: 2 })
  await pool.query('create table kept (n int primary key)')
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})
beforeEach(async () => void (await pool.query('truncate kept')))

async function kept(): Promise<number[]> {
  return (await pool.query<{ n: number }>('select n from kept order by n')).rows.map((row) => row.n)
}

describe('inTransaction', () => {
  test('commits and returns', async () => {
    const result = await inTransaction(pool, async (client) => {
      await client.query('insert into kept values (1)')
      return 'done'
    })
    expect(result).toBe('done')
    expect(await kept()).toEqual([1])
  })

  test('rolls back on an error of SQL or of ours, and gives the connection back', async () => {
    for (let times = 0; times < 5; times += 1) {
      const failing = inTransaction(pool, async (client) => {
        await client.query('insert into kept values (1)')
        if (times % 2 === 0) throw new Error('ours')
        await client.query('insert into kept values (1)')
      })
      await expect(failing).rejects.toThrow(times % 2 === 0 ? 'ours' : /duplicate/)
    }
    expect(await kept()).toEqual([])
    expect(pool.totalCount).toBeLessThanOrEqual(2)
    expect(pool.idleCount).toBe(pool.totalCount)
  })

  test('does not report as committed what a swallowed error rolled back', async () => {
    const swallowing = inTransaction(pool, async (client) => {
      await client.query('insert into kept values (1)')
      await client.query('select 1/0').catch(() => undefined)
    })
    await expect(swallowing).rejects.toThrow(/rolled back/)
    expect(await kept()).toEqual([])
  })

  test('sets its timeouts for itself alone', async () => {
    const show = `select current_setting('idle_in_transaction_session_timeout') as idle,
      current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement,
      current_setting('application_name') as name`
    const limits = {
      idleInTransactionTimeoutMs: 11_000,
      lockTimeoutMs: 12_000,
      statementTimeoutMs: 13_000,
      applicationName: "it's inside",
    }
    const inside = await inTransaction(pool, async (client) => (await client.query(show)).rows[0], limits)
    expect(inside).toEqual({ idle: '11s', lock: '12s', statement: '13s', name: "it's inside" })
    for (let times = 0; times < 2; times += 1) {
      expect((await pool.query(show)).rows[0]).toEqual({ idle: '0', lock: '0', statement: '0', name: 'tested' })
    }
  })

  test('a session ended for idling in its transaction is an error of the next query, no crash', async () => {
    const idling = inTransaction(
      pool,
      async (client) => {
        await client.query('insert into kept values (1)')
        await vi.waitFor(
          async () => {
            const { rowCount } = await pool.query(`select from pg_stat_activity
              where application_name = 'tested' and state = 'idle in transaction'`)
            expect(rowCount).toBe(0)
          },
          { timeout: 5_000 },
        )
        await client.query('insert into kept values (2)')
      },
      { idleInTransactionTimeoutMs: 50 },
    )
    expect(classify(await idling.catch((error: unknown) => error))).toBe('retry')
    expect(await kept()).toEqual([])
  })
})

test('a server that falls silent, its connection still open, is an error after the time given', async () => {
  const server = new URL(database.connectionString)
  const held = new Set<Socket>()
  let forwarding = true
  const proxy = createServer((socket) => {
    const onward = connect(Number(server.port), server.hostname)
    for (const end of [socket, onward]) held.add(end.on('error', () => undefined))
    socket.on('data', (data) => forwarding && onward.write(data))
    onward.on('data', (data) => forwarding && socket.write(data))
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const url = new URL(server)
  url.hostname = '127.0.0.1'
  url.port = String((proxy.address() as AddressInfo).port)
  const silent = createPool({ connectionString: url.href, applicationName: 'silent', max: 1 })
  try {
    const statement = async (sql: string) =>
      await inTransaction(silent, async (client) => await client.query(sql), { silenceMs: 600 })
    // One that works for longer than that answers in the end, unless it says nothing meanwhile.
    await inTransaction(
      silent,
      async (client) => {
        for (let times = 0; times < 4; times += 1) await client.query('select pg_sleep(0.2)')
      },
      { silenceMs: 600 },
    )
    const waiting = statement('select pg_sleep(0.3)')
    await vi.waitFor(async () => expect(await sleeping()).toBe(1))
    forwarding = false
    const error = await waiting.catch((caught: unknown) => caught)
    expect(error).toMatchObject({ message: 'Postgres said nothing for 0.6 s' })
    expect(classify(error)).toBe('retry')
    forwarding = true
    expect((await statement('select 1 as one')).rows).toEqual([{ one: 1 }])
  } finally {
    await silent.end()
    for (const end of held) end.destroy()
    proxy.close()
  }
})

async function sleeping(): Promise<number | null> {
  return (
    await pool.query(
      `select from pg_stat_activity where application_name = 'silent' and query like 'select pg_sleep(0.3)%'`,
    )
  ).rowCount
}

describe('createPool', () => {
  test('names itself to the server', async () => {
    const { rows } = await pool.query(
      'select application_name as name from pg_stat_activity where pid = pg_backend_pid()',
    )
    expect(rows).toEqual([{ name: 'tested' }])
  })

  test('outlives the loss of idle connections and of one that is held', async () => {
    const held = await pool.connect()
    await pool.query('select 1')
    await database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tested'`,
    )
    await vi.waitFor(() => expect(pool.idleCount).toBe(0))
    const error = await held.query('select 1').catch((caught: unknown) => caught)
    expect(classify(error)).toBe('retry')
    held.release(true)
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('a server that is not there is retry, a database that is not there is ours', async () => {
    const nobody = createPool({ connectionString: 'postgres://postgres:x@127.0.0.1:1/x', applicationName: 'x' })
    expect(classify(await nobody.query('select 1').catch((error: unknown) => error))).toBe('retry')
    await nobody.end()
    const url = new URL(database.connectionString)
    url.pathname = '/no_such_database'
    const nowhere = createPool({ connectionString: url.href, applicationName: 'x' })
    const error = await nowhere.query('select 1').catch((caught: unknown) => caught)
    expect([sqlstateOf(error), classify(error)]).toEqual(['3D000', 'ours'])
    await nowhere.end()
  })
})
