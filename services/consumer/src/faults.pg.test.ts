import { createPool, type Pool, type PoolClient } from '@platform-events/postgres'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  idsOf,
  sampleEvent,
  sampleEvents,
  sampleRecord,
  sampleRecords,
  tableState,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'
import { ScriptedLog } from '../../../test/support/scripted-log.ts'

let database: TestDatabase
const open: { end(): Promise<void> }[] = []

beforeEach(async () => {
  database = await createTestDatabase()
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((opened) => opened.end()))
  expect((await tableState(database.pool)).rollupDifferences).toEqual([])
  await database.drop()
})

describe('exactly once', () => {
  it('whichever statement the connection is lost at', async () => {
    const stored: string[] = []
    let statements = 1
    for (let step = 0; step < statements; step++) {
      const log = new ScriptedLog(2, `step ${step}`)
      const events = [...sampleEvents(40), sampleEvent({ user_id: '7f9c24e8-3b12-4c5d-9e6f-0123456789ab' })]
      await log.append(sampleRecords(events, 10))
      const consumer = testConsumer(log, database.connectionString)
      open.push(consumer)
      const kill = killAtStatement(consumer.pool, step)
      await consumer.start()
      await untilConsumed(log, database.pool)
      stored.push(...idsOf(events))
      expect((await tableState(database.pool)).ids).toEqual([...stored].sort())
      statements = Math.max(statements, kill.seen())
      await consumer.end()
    }
    expect(statements).toBeGreaterThan(8)
  })

  it('with two consumers that both believe to own everything, their sessions killed at random', async () => {
    const log = new ScriptedLog(3)
    const consumers = [testConsumer(log, database.connectionString), testConsumer(log, database.connectionString)]
    open.push(...consumers)
    await Promise.all(consumers.map((consumer) => consumer.start()))
    const events = sampleEvents(4000)
    for (let at = 0; at < events.length; at += 200) {
      await log.append(sampleRecords(events.slice(at, at + 200), 10))
      await database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name = 'platform-events consumer' and random() < 0.3`,
      )
    }
    await untilConsumed(log, database.pool)
    expect((await tableState(database.pool)).ids).toEqual(idsOf(events))
  })
})

describe('a predecessor that holds the offsets', () => {
  async function holdOffsets(log: ScriptedLog, applicationName: string): Promise<{ pool: Pool; client: PoolClient }> {
    const first = testConsumer(log, database.connectionString)
    await log.append(sampleRecords(sampleEvents(10)))
    await first.start()
    await untilConsumed(log, database.pool)
    await first.end()
    const pool = createPool({ connectionString: database.connectionString, applicationName, max: 1 })
    open.push({ end: () => pool.end() })
    const client = await pool.connect()
    await client.query('begin')
    await client.query('update events_internal.consumer_offsets set updated_at = now()')
    return { pool, client }
  }

  it('is ended when it is one of ours', async () => {
    const log = new ScriptedLog()
    const { client } = await holdOffsets(log, 'platform-events consumer')
    const successor = testConsumer(log, database.connectionString, { lockTimeoutMs: 300 })
    open.push(successor)
    await successor.start()
    await log.append(sampleRecords(sampleEvents(10)))
    await untilConsumed(log, database.pool)
    await expect(client.query('commit')).rejects.toThrow()
    client.release(true)
    expect((await tableState(database.pool)).ids).toHaveLength(20)
  })

  it('is waited for when it is somebody else', async () => {
    const log = new ScriptedLog()
    const { client } = await holdOffsets(log, 'psql')
    const successor = testConsumer(log, database.connectionString, { lockTimeoutMs: 100 })
    open.push(successor)
    await successor.start()
    await log.append(sampleRecords(sampleEvents(10)))
    await vi.waitFor(async () => expect((await successor.check()).detail).toContain('retrying'), { timeout: 5000 })
    await client.query('commit')
    client.release()
    await untilConsumed(log, database.pool)
    expect(await successor.check()).toMatchObject({ ok: true, detail: expect.stringContaining('lag 0') })
  })
})

describe('a day without a partition', () => {
  it('is not asked for without a pause, when asking does not help', async () => {
    const log = new ScriptedLog()
    const day = new Date(Date.now() - 3 * 86_400_000).toISOString()
    await database.pool.query(`drop table events_internal.platform_events_${day.slice(0, 10).replaceAll('-', '')}`)
    let asked = 0
    const consumer = testConsumer(log, database.connectionString, {
      backoffMs: [400, 400],
      askForDay: async () => {
        asked++
      },
    })
    open.push(consumer)
    const begun = performance.now()
    await consumer.start()
    await log.append(sampleRecords(sampleEvents(10, { created_at: day })))
    await vi.waitFor(() => expect(asked).toBeGreaterThanOrEqual(4), 10_000)
    // The first helps mostly, so it is followed at once; then come pauses of at least 200 ms.
    expect(performance.now() - begun).toBeGreaterThan(400)
    expect((await consumer.check()).detail).toMatch(/^retrying since .* 23514/)
    await consumer.end()
  })
})

describe('a fault of ours', () => {
  it('pauses, dead-letters nothing, and goes on when it is mended', async () => {
    const log = new ScriptedLog()
    const consumer = testConsumer(log, database.connectionString)
    open.push(consumer)
    await database.pool.query('alter table public.platform_events rename column seq to sequence')
    await consumer.start()
    const events = sampleEvents(50)
    await log.append(sampleRecords(events))
    await vi.waitFor(async () =>
      expect(await consumer.check()).toEqual({ ok: false, detail: expect.stringMatching(/^paused since .*42703/) }),
    )
    await database.pool.query('alter table public.platform_events rename column sequence to seq')
    await untilConsumed(log, database.pool)
    expect(await tableState(database.pool)).toMatchObject({ ids: idsOf(events), dead: 0 })
    expect((await consumer.check()).ok).toBe(true)
  })

  it('is supposed behind 100 dead letters in a row with one code', async () => {
    const log = new ScriptedLog()
    const bad = Array.from({ length: 120 }, () => {
      const { properties: _, ...head } = sampleEvent()
      return `${JSON.stringify(head).slice(0, -1)},"properties":{"n":1e140000}}`
    })
    const good = sampleEvents(10)
    await log.append([sampleRecord([...good, ...bad])])
    const consumer = testConsumer(log, database.connectionString)
    await consumer.start()
    await vi.waitFor(
      async () =>
        expect((await consumer.check()).detail).toMatch(/^paused since .* 100 dead letters in a row with 22003/),
      { timeout: 10_000 },
    )
    expect(await tableState(database.pool)).toMatchObject({ ids: [], dead: 0 })
    await consumer.end()
    const willing = testConsumer(log, database.connectionString, { deadInARow: 1000 })
    open.push(willing)
    await willing.start()
    await untilConsumed(log, database.pool)
    expect(await tableState(database.pool)).toMatchObject({ ids: idsOf(good), dead: 120 })
  })
})

/** Ends the pool's own session at the n-th statement of its transactions: before a statement, and in the midst of a COPY. */
function killAtStatement(pool: Pool, step: number): { seen(): number } {
  let seen = 0
  const connect = pool.connect.bind(pool) as (callback?: unknown) => Promise<PoolClient>
  pool.connect = (async (callback?: unknown) => {
    // pool.query asks with a callback; transactions do not.
    if (callback !== undefined) return connect(callback)
    const client = await connect()
    const query = client.query.bind(client) as (...args: unknown[]) => unknown
    const pid = (client as unknown as { processID: number }).processID
    const kill = () => database.pool.query('select pg_terminate_backend($1)', [pid])
    client.query = ((...args: unknown[]) => {
      const isDoomed = seen++ === step
      if (!isDoomed) return query(...args)
      if (typeof args[0] === 'object' && args[0] !== null && 'submit' in args[0]) {
        const running = query(...args)
        void kill()
        return running
      }
      return kill().then(() => query(...args))
    }) as typeof client.query
    return client
  }) as typeof pool.connect
  return { seen: () => seen }
}
