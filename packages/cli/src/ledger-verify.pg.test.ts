import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { makeDataDir } from '../../../test/support/data-dir.ts'
import { startLedgerSystem } from '../../../test/support/ledger-system.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { untilConsumed } from '../../../test/support/sample-events.ts'
import { formatVerification } from './ledger-report.ts'
import { verifyLedger } from './ledger-verify.ts'

const BIN = fileURLToPath(new URL('../bin/platform-events.mjs', import.meta.url))
const TODAY = new Date().toISOString().slice(0, 10)

let database: TestDatabase
let dataDir: Awaited<ReturnType<typeof makeDataDir>>
let system: Awaited<ReturnType<typeof startLedgerSystem>>

beforeEach(async () => {
  database = await createTestDatabase()
  dataDir = await makeDataDir()
  system = await startLedgerSystem(database, { DATA_DIR: dataDir.path })
})

afterEach(async () => {
  await system.end()
  await database.drop()
  await dataDir.remove()
})

/** The program as people run it: beside the process that has the log open. */
async function ledger(...args: string[]): Promise<{ code: number; stdout: string }> {
  const env = { ...process.env, DATABASE_URL: database.connectionString, DATA_DIR: dataDir.path, KAFKA_BROKERS: '' }
  const run = promisify(execFile)(process.execPath, [BIN, 'ledger', '--verify', ...args], { env })
  const { code = 0, stdout } = await run.catch((error) => error)
  return { code, stdout }
}

const verify = () =>
  verifyLedger({
    databaseUrl: database.connectionString,
    log: { DATA_DIR: dataDir.path },
    from: TODAY,
    to: new Date(Date.now() + 86_400_000).toISOString().slice(0, 10),
    pauseMs: 10,
    signal: new AbortController().signal,
  })

const account = (name: string, n: number) => ({ account: name, counted: n, found: n })

it('balances while events flow, in their table and in the log', async () => {
  await system.append(5)
  await system.consume()
  system.flow()
  await vi.waitFor(async () => expect((await verify()).accounts[0]!.found).toBeGreaterThan(150), { timeout: 20_000 })
  const { code, stdout } = await ledger()
  expect(stdout).toContain('The books balance.')
  expect(code).toBe(0)

  await system.stopConsuming()
  await vi.waitFor(async () => expect((await verify()).in_flight.log).toBeGreaterThan(50), { timeout: 20_000 })
  const flowing = await verify()
  expect(flowing).toMatchObject({ balanced: true, differences: [], strange_log: null })
  expect(flowing.in_flight).toMatchObject({
    counted: flowing.in_flight.log,
    log: expect.any(Number),
    spools: 0,
    nowhere: 0,
  })
  await system.stopFlow()
  expect(await verify()).toMatchObject({ balanced: true })

  await system.consume()
  await untilConsumed(system.log, database.pool)
  const { rows } = await database.pool.query('select count(*)::int as n from public.platform_events')
  expect(await verify()).toMatchObject({
    balanced: true,
    accounts: [account('stored', rows[0].n), account('dead_lettered', 0), account('quarantined', 0)],
    in_flight: { counted: 0, log: 0, spools: 0, nowhere: 0 },
  })
}, 60_000)

it('does not balance when rows are deleted behind its back', async () => {
  await system.append(20)
  await system.consume()
  await untilConsumed(system.log, database.pool)
  await database.pool.query(
    'delete from public.platform_events where ctid in (select ctid from public.platform_events limit 3)',
  )
  expect(await verify()).toMatchObject({ balanced: true, accounts: [account('stored', 37), {}, {}] })

  const { rows } = await database.pool.query(
    'select tableoid::regclass::text as day from public.platform_events limit 1',
  )
  await database.pool.query(`delete from ${rows[0].day} where ctid in (select ctid from ${rows[0].day} limit 2)`)
  expect(await verify()).toMatchObject({
    balanced: false,
    differences: [{ day: TODAY, source_id: 1, account: 'stored', counted: 37, found: 35 }],
  })
  const { code, stdout } = await ledger('--from', TODAY)
  expect(stdout).toMatch(/source 1 +stored: 37 in the books, 35 found\nThe books do NOT balance.\n$/)
  expect(code).toBe(1)
})

it('does not balance when records of the log are lost, unless a spool holds as many', async () => {
  await system.append(10)
  await system.consume()
  await untilConsumed(system.log, database.pool)
  await system.stopConsuming()
  await system.append(15)
  await system.end()
  await rm(join(dataDir.path, 'log'), { recursive: true })
  system = await startLedgerSystem(database, { DATA_DIR: dataDir.path })
  const lost = { counted: 30, log: 0, spools: 0, nowhere: 30 }
  const differences = [{ day: TODAY, source_id: 1, account: 'in_flight', counted: 30, found: 0 }]
  expect(await verify()).toMatchObject({
    ...{ balanced: false, in_flight: lost, differences, open_losses: 0, strange_log: expect.any(String) },
  })

  await system.append(2)
  await system.consume()
  await untilConsumed(system.log, database.pool)
  expect(await verify()).toMatchObject({
    ...{ balanced: false, in_flight: lost, differences, open_losses: 1, strange_log: null },
    accounts: [account('stored', 24), {}, {}],
  })
  expect(formatVerification(await verify())).toContain(
    '30 accepted events are in neither table nor log nor spool: lost. 1 loss event is open',
  )

  await database.pool.query(
    `insert into events_internal.spools (spool_id, host, events, bytes) values ('s', 'h', 30, 1)`,
  )
  expect(await verify()).toMatchObject({ balanced: true, in_flight: { spools: 30, nowhere: 0 } })
  // What a spool held whose collector is gone is not found by having been told once.
  await database.pool.query(`update events_internal.spools set reported_at = now() - interval '3 minutes'`)
  const silent = await verify()
  expect(silent).toMatchObject({ balanced: false, in_flight: { spools: 0, nowhere: 30, silent_spools: 30 } })
  expect(formatVerification(silent)).toContain('30 of them lay in the spool of a collector that has been silent')
})

it('says that the log is not where it looked, and that this is no database of ours', async () => {
  const elsewhere = { databaseUrl: database.connectionString, log: { DATA_DIR: join(dataDir.path, 'nowhere') } }
  const options = { from: TODAY, to: TODAY, signal: new AbortController().signal }
  await expect(verifyLedger({ ...elsewhere, ...options })).rejects.toThrow(
    /^The log cannot be read: there is no local log in .*nowhere/,
  )
  await database.pool.query('drop function events_internal.verify_ledger')
  await expect(verifyLedger({ ...elsewhere, ...options })).rejects.toMatchObject({
    message: expect.stringMatching(/^42883 /),
    help: expect.stringContaining('migrate'),
  })
})
