import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  createPool,
  migrate,
  migrateMarketplace,
  type Pool,
  type PoolClient,
  rollbackMarketplace,
} from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EACH_KIND, type GroundDatabase, type GroundServer, startGround } from '../support/grounds.ts'
import { createTestDatabase } from '../support/postgres.ts'
import { PLATFORM, PLATFORM_ROWS } from './platform.ts'
import { dumpMarketplace } from './schema-dump.ts'

const DIRECTORY = fileURLToPath(new URL('../../migrations/marketplace/', import.meta.url))
const NAMES = (await readdir(DIRECTORY)).filter((name) => name.endsWith('.sql')).sort()
const read = (name: string) => readFile(join(DIRECTORY, name), 'utf8')
const UP = new Map(await Promise.all(NAMES.map(async (name) => [name, await read(name)] as const)))

it('every file has its rollback, and every rollback its file', async () => {
  expect((await readdir(join(DIRECTORY, 'rollback'))).sort()).toEqual(NAMES)
})

// Where transactions are concerned all grounds are one.
it('a file that fails leaves nothing', async () => {
  const { connectionString: url, pool, drop } = await createTestDatabase()
  const directory = await mkdtemp(join(tmpdir(), 'marketplace-'))
  try {
    for (const name of NAMES) {
      const before = await dumpMarketplace(pool, true)
      await writeFile(join(directory, name), `${UP.get(name)}\nselect 1 / 0;`)
      await expect(migrateMarketplace(url, { directory, development: true })).rejects.toThrow('division by zero')
      // The schema is the ledger's.
      if (name !== NAMES[0]) expect(await dumpMarketplace(pool, true), name).toBe(before)
      await writeFile(join(directory, name), UP.get(name)!)
      await migrateMarketplace(url, { directory, development: true })
    }
  } finally {
    await drop()
    await rm(directory, { recursive: true })
  }
})

describe.each(EACH_KIND)('the marketplace on $name', (ground) => {
  let server: GroundServer
  let core: GroundDatabase
  const pools: Pool[] = []

  beforeAll(async () => {
    server = await startGround(ground)
    core = await server.createDatabase()
    await migrate(core.migratorUrl)
  })
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end()))
    await server.stop()
  })

  /** A database of its own with the core. */
  async function open(): Promise<{ url: string; pool: Pool }> {
    const { migratorUrl: url } = await server.createDatabase(core)
    const pool = createPool({ connectionString: url, applicationName: 'test', max: 2 })
    pools.push(pool)
    return { url, pool }
  }

  it('is made, taken back and made again beside a platform, and every row of the platform stays', async () => {
    const { url, pool } = await open()
    await pool.query(PLATFORM)
    const rows = async () => (await pool.query(PLATFORM_ROWS)).rows[0].rows
    const [before, rowsBefore] = [await dumpMarketplace(pool, true), await rows()]

    expect((await migrateMarketplace(url)).applied).toHaveLength(NAMES.length)
    const up = await dumpMarketplace(pool, true)
    expect(await rows()).toMatchObject(rowsBefore)
    expect((await pool.query(WHAT_IS_MADE_OF_THE_PLATFORM)).rows).toEqual([
      {
        credits: 20_000,
        none: 0,
        deprecated: null,
        comment: expect.stringMatching(/^For a future feature, .*\nClaims\.\nOf two lines\.$/),
      },
    ])

    expect((await rollbackMarketplace(url, { to: 0 })).rolledBack).toHaveLength(NAMES.length)
    expect(await dumpMarketplace(pool, true)).toBe(before)
    expect(await rows()).toEqual(rowsBefore)

    await migrateMarketplace(url)
    expect(await dumpMarketplace(pool, true)).toBe(up)
    expect(await rows()).toMatchObject(rowsBefore)
  })

  it('makes the same schema everywhere where there is no platform, and leaves nothing when it goes', async () => {
    const { url, pool } = await open()
    const before = await dumpMarketplace(pool, true)
    await migrateMarketplace(url, { development: true })
    await expect(await dumpMarketplace(pool)).toMatchFileSnapshot('./schema.snapshot.txt')
    await rollbackMarketplace(url, { to: 0 })
    expect(await dumpMarketplace(pool, true)).toBe(before)
  })

  it('each file may be run again by hand, in any order', async () => {
    const { url, pool } = await open()
    await migrateMarketplace(url, { development: true })
    const up = await dumpMarketplace(pool, true)
    for (const order of [NAMES, NAMES.toReversed()]) {
      for (const name of order) await inTransactionOf(pool, 'commit', async (client) => await apply(client, name))
      expect(await dumpMarketplace(pool, true)).toBe(up)
    }
  })

  it('each file stands on nothing but what it names, and its rollback leaves that as it was', async () => {
    const { pool } = await open()
    for (const name of NAMES) {
      await inTransactionOf(pool, 'rollback', async (client) => {
        await makeGroundOf(client, name)
        const before = await dumpMarketplace(client, true)
        await apply(client, name)
        await client.query(await read(`rollback/${name}`))
        expect(await dumpMarketplace(client, true), name).toBe(before)
      })
    }
  })
})

const WHAT_IS_MADE_OF_THE_PLATFORM = `
  select public.get_user_referral_credits('00000000-0000-4000-8000-00000000000a') as credits,
    public.get_user_referral_credits('00000000-0000-4000-8000-00000000000c') as none,
    to_regclass('public.etta_messages') as deprecated,
    obj_description('public.insurance_claims'::regclass) as comment`

async function inTransactionOf(
  pool: Pool,
  end: 'commit' | 'rollback',
  work: (client: PoolClient) => Promise<void>,
): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query(`begin; set local marketplace.development = 'on'`)
    await work(client)
    await client.query(end)
    client.release()
  } catch (error) {
    client.release(true)
    throw error
  }
}

async function apply(client: PoolClient, name: string): Promise<void> {
  await client.query(UP.get(name)!).catch((error) => {
    throw new Error(`${name}: ${error.message}. ${error.hint ?? ''}`, { cause: error })
  })
}

/** Applies the first file, and what this one asks for: a refusal must name in its hint the file that it lacks. */
async function makeGroundOf(client: PoolClient, name: string): Promise<void> {
  const applied: string[] = []
  const wanted = [name]
  await client.query('create schema marketplace_internal') // the runner does that, for its ledger
  if (name !== NAMES[0]) await apply(client, NAMES[0]!)
  for (let next = name; ; next = wanted.at(-1)!) {
    await client.query('savepoint attempt')
    const failure = await client.query(UP.get(next)!).then(
      () => undefined,
      (error) => error,
    )
    if (failure !== undefined || next === name) await client.query('rollback to savepoint attempt')
    if (failure === undefined) {
      if (next === name) return
      applied.push(next)
      wanted.pop()
      continue
    }
    const lacking = /\d{4}_[a-z_]+\.sql/.exec(failure.hint ?? '')?.[0]
    if (lacking === undefined || applied.includes(lacking) || !UP.has(lacking))
      throw new Error(`${next}: ${failure.message}`, { cause: failure })
    wanted.push(lacking)
  }
}
