import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { BinaryCopy } from './binary-copy.ts'
import { copyIn } from './copy-in.ts'
import { classify, sqlstateOf } from './sqlstate.ts'
import { inTransaction } from './transaction.ts'

const COPY = 'copy moments (id, name, body, at, big, medium, small) from stdin (format binary)'
const UUID = '019aa5c1-7f3e-7abc-8def-0123456789ab'
const AT_2026 = Date.UTC(2026, 10, 24, 9, 30, 0, 123) * 1000 + 456

let database: TestDatabase
const copy = new BinaryCopy(64)

beforeAll(async () => {
  database = await createTestDatabase()
  await database.pool.query(`
    create table moments (id uuid, name text not null, body jsonb, at timestamptz not null, big bigint,
      medium int check (medium > 0), small smallint, primary key (at, id)) partition by range (at);
    create table moments_2026 partition of moments for values from ('2026-01-01') to ('2027-01-01')`)
})
afterAll(async () => await database.drop())
beforeEach(async () => {
  await database.pool.query('truncate moments')
  copy.begin()
})

interface Row {
  at?: number
  name?: string
  body?: string
  medium?: number
}

function add(row: Row = {}): void {
  copy.row(7)
  copy.uuid(UUID)
  copy.text(row.name ?? 'Señal')
  copy.jsonb(Buffer.from(row.body ?? '{"city": "Bogotá"}'))
  copy.timestamptz(row.at ?? AT_2026)
  copy.int8(-9_007_199_254_740_991)
  copy.int4(row.medium ?? 7)
  copy.int2(-3)
}

async function load(): Promise<number> {
  return await inTransaction(database.pool, async (client) => await copyIn(client, COPY, copy.finish()))
}

async function failure(): Promise<{ sqlstate: string | undefined; means: string }> {
  const error = await load().then(
    () => undefined,
    (caught: unknown) => caught,
  )
  return { sqlstate: sqlstateOf(error), means: classify(error) }
}

describe('what Postgres reads is what was written', () => {
  test('all types, and as many rows as were sent', async () => {
    add()
    add({ at: AT_2026 + 1 })
    expect(await load()).toBe(2)
    const { rows } = await database.pool.query(
      `select id, name, body, to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as at, big, medium, small
       from moments order by at limit 1`,
    )
    expect(rows).toEqual([
      {
        id: UUID,
        name: 'Señal',
        body: { city: 'Bogotá' },
        at: '2026-11-24 09:30:00.123456',
        big: '-9007199254740991',
        medium: 7,
        small: -3,
      },
    ])
  })

  test('nothing, and a batch larger than any socket buffer', async () => {
    expect(await load()).toBe(0)
    copy.begin()
    for (let index = 0; index < 20_000; index += 1) add({ at: AT_2026 + index, body: `{"x":"${'y'.repeat(300)}"}` })
    expect(await load()).toBe(20_000)
  })
})

describe('what Postgres refuses is told apart', () => {
  test('a missing partition from a CHECK, both 23514', async () => {
    add({ at: AT_2026 + 400 * 86_400_000_000 })
    expect(await failure()).toEqual({ sqlstate: '23514', means: 'no_partition' })
    copy.begin()
    add({ medium: -1 })
    expect(await failure()).toEqual({ sqlstate: '23514', means: 'row' })
  })

  test.each([
    ['a duplicate key', '23505', 'duplicate', () => [add(), add()]],
    ['no JSON', '22P02', 'row', () => add({ body: '{' })],
    ['a NUL in text', '22021', 'row', () => add({ name: 'a\0b' })],
    ['a NUL in JSON', '22P05', 'row', () => add({ body: '{"a":"\\u0000"}' })],
    ['a lone surrogate in JSON', '22P02', 'row', () => add({ body: '{"a":"\\ud800"}' })],
    ['JSON that is too deep', '54001', 'row', () => add({ body: '['.repeat(100_000) })],
    ['too few columns', '22P04', 'ours', () => copy.row(1)],
  ])('%s is %s, %s', async (_, sqlstate, means, fill) => {
    fill()
    expect(await failure()).toEqual({ sqlstate, means })
    expect((await database.pool.query('select from moments')).rowCount).toBe(0)
  })

  test('the connection serves on after a refusal', async () => {
    await inTransaction(database.pool, async (client) => {
      add({ body: '{' })
      await client.query('savepoint before')
      await expect(copyIn(client, COPY, copy.finish())).rejects.toThrow()
      await client.query('rollback to before')
      copy.begin()
      add()
      expect(await copyIn(client, COPY, copy.finish())).toBe(1)
    })
    expect((await database.pool.query('select from moments')).rowCount).toBe(1)
  })

  test('in parts: all of them arrive, and after a refusal no more are asked for', async () => {
    let asked = 0
    function* parts(bad: boolean): Generator<Buffer> {
      copy.begin()
      yield copy.part(0)
      for (let part = 0; part < 200; part += 1) {
        asked += 1
        const from = copy.length
        for (let row = 0; row < 100; row += 1) {
          add({ at: AT_2026 + part * 100 + row, body: bad && part === 3 ? '{' : `{"x":"${'y'.repeat(300)}"}` })
        }
        yield copy.part(from)
      }
      const from = copy.length
      copy.finish()
      yield copy.part(from)
    }
    const send = async (bad: boolean): Promise<number> =>
      await inTransaction(database.pool, async (client) => await copyIn(client, COPY, parts(bad)))
    expect(await send(false)).toBe(20_000)
    asked = 0
    expect(classify(await send(true).catch((error: unknown) => error))).toBe('row')
    expect(asked).toBeLessThan(200)
    expect((await database.pool.query('select from moments')).rowCount).toBe(20_000)
  })

  test('a part that could not be made ends the COPY with its own error', async () => {
    // biome-ignore lint/correctness/useYield: it never comes to yield
    function* broken(): Generator<Buffer> {
      throw new RangeError('not a uuid')
    }
    await inTransaction(database.pool, async (client) => {
      await client.query('savepoint before')
      const error = await copyIn(client, COPY, broken()).catch((caught: unknown) => caught)
      expect(error).toStrictEqual(new RangeError('not a uuid'))
      expect(classify(error)).toBe('ours')
      await client.query('rollback to before')
      add()
      expect(await copyIn(client, COPY, copy.finish())).toBe(1)
    })
  })

  test('a table that is not there is ours; a backend ended in mid-copy is retry', async () => {
    const missing = inTransaction(database.pool, async (client) => {
      await copyIn(client, 'copy nowhere (id) from stdin (format binary)', copy.finish())
    })
    expect(classify(await missing.catch((error: unknown) => error))).toBe('ours')

    const ended = inTransaction(database.pool, async (client) => {
      const { rows } = await client.query('select pg_backend_pid() as pid')
      const blocker = await database.pool.connect()
      await blocker.query('begin; lock table moments in access exclusive mode')
      add()
      const copying = copyIn(client, COPY, copy.finish()).finally(() =>
        blocker.query('rollback').finally(() => blocker.release()),
      )
      await Promise.all([copying, database.pool.query('select pg_terminate_backend($1)', [rows[0].pid])])
    })
    expect(classify(await ended.catch((error: unknown) => error))).toBe('retry')
  })
})
