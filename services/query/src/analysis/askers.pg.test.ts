import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.ts'
import { startTestQuery } from '../../../../test/support/query.ts'

const DAY_MS = 86_400_000
const FUNNEL = { steps: ['A', 'B'], from: new Date(Date.now() - 3 * DAY_MS).toISOString() }

let database: TestDatabase
let app: FastifyInstance
let headers: { authorization: string }
let port: number

beforeAll(async () => {
  database = await createTestDatabase()
  const started = await startTestQuery(database.pool)
  app = started.app
  headers = started.bearer
  await app.listen({ host: '127.0.0.1', port: 0 })
  port = (app.server.address() as AddressInfo).port
  await database.pool.query(`insert into public.platform_events (event_type, session_id) values ('A', 's'), ('B', 's')`)
})
afterAll(async () => {
  await app.close()
  await database.drop()
})

describe('many askers', () => {
  const ask = (): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/v1/funnel`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(FUNNEL),
    })

  it('are all answered, fifty at once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, ask))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  })

  /** Holds up every question in the table of events until it is told to end. */
  async function holdUp(): Promise<() => Promise<void>> {
    const client = await database.pool.connect()
    await client.query('begin; lock table events_internal.event_rollup_hourly in access exclusive mode')
    return async () => {
      await client.query('rollback')
      client.release()
    }
  }

  const heldUp = async (): Promise<number> => {
    const { rows } = await database.pool.query(
      `select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
    )
    return rows[0].n
  }

  it('of whom one goes away: the statement is cancelled in Postgres too, and the next is answered', async () => {
    const release = await holdUp()
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const body = JSON.stringify(FUNNEL)
    socket.write(
      `POST /v1/funnel HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers.authorization}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    await expect.poll(heldUp).toBe(1)
    socket.destroy()
    await expect.poll(heldUp).toBe(0)
    await release()
    expect((await ask()).status).toBe(200)
  })

  it('beyond the length of the line are told to come back', async () => {
    const { app: narrow } = await startTestQuery(database.pool, { analysesAtOnce: 1, maxWaiting: 2 })
    const release = await holdUp()
    const asked = Array.from({ length: 4 }, () =>
      narrow.inject({ method: 'POST', url: '/v1/funnel', headers, payload: FUNNEL }),
    )
    const refused = await Promise.race(asked)
    expect([refused.statusCode, refused.json().code, refused.headers['retry-after']]).toEqual([503, 'overloaded', '5'])
    await release()
    expect((await Promise.all(asked)).map(({ statusCode }) => statusCode).sort()).toEqual([200, 200, 200, 503])
    await narrow.close()
  })
})
