import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPool, migrate, startEmbeddedPostgres } from '@platform-events/postgres'
import { createLogger } from '@platform-events/runtime'
import { expect, it, vi } from 'vitest'
import {
  idsOf,
  sampleEvents,
  sampleRecords,
  tableState,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'
import { ScriptedLog } from '../../../test/support/scripted-log.ts'

it('waits while Postgres is away, and then loses and doubles nothing', { timeout: 120_000 }, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'platform-events-away-'))
  const start = () => startEmbeddedPostgres({ dataDir, logger: createLogger({ name: 'test', level: 'silent' }) })
  let server = await start()
  const log = new ScriptedLog(3)
  let underWay = 0
  let mostUnderWay = 0
  const consume = log.consume.bind(log)
  log.consume = (options) =>
    consume({
      ...options,
      async onBatch(batch) {
        mostUnderWay = Math.max(mostUnderWay, ++underWay)
        return await options.onBatch(batch).finally(() => underWay--)
      },
    })
  const events = sampleEvents(6000)
  const records = sampleRecords(events)
  const url = server.connectionString
  await migrate(url)
  const consumer = testConsumer(log, url, { maxEvents: 500 })
  try {
    await consumer.start()
    await log.append(records.splice(0, 100))
    await vi.waitFor(async () => expect((await consumer.check()).detail).not.toContain('commit none'), 10_000)
    await server.stop()
    await log.append(records.splice(0))
    await vi.waitFor(async () => expect((await consumer.check()).ok).toBe(false), 10_000)
    // However much the log holds, no more is taken than one batch of each topic partition.
    await vi.waitFor(() => expect(underWay).toBe(3), 10_000)
    server = await start()
    expect(server.connectionString).toBe(url)
    const pool = createPool({ connectionString: url, applicationName: 'test', max: 1 })
    await untilConsumed(log, pool, 60_000)
    expect(await tableState(pool)).toMatchObject({ ids: idsOf(events), dead: 0, rollupDifferences: [] })
    await pool.end()
    expect(mostUnderWay).toBe(3)
    expect((await consumer.check()).ok).toBe(true)
  } finally {
    await consumer.end()
    await server.stop()
    await rm(server.dataFolder, { recursive: true, force: true })
    await rm(dataDir, { recursive: true, force: true })
  }
})
