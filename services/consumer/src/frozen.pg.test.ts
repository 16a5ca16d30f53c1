import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  idsOf,
  sampleEvents,
  sampleRecords,
  tableState,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'
import { ScriptedLog } from '../../../test/support/scripted-log.ts'

let database: TestDatabase
let directory: string
let child: ChildProcess | undefined

beforeEach(async () => {
  database = await createTestDatabase()
  directory = await mkdtemp(join(tmpdir(), 'platform-events-frozen-'))
})

afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await rm(directory, { recursive: true })
  await database.drop()
})

it.skipIf(process.platform === 'win32')(
  'a process frozen inside COPY holds its successor up for seconds, and stores nothing when it thaws',
  async () => {
    const events = sampleEvents(10_000)
    const eventsFile = join(directory, 'events.json')
    await writeFile(eventsFile, JSON.stringify(events))
    const log = new ScriptedLog()
    await log.append(sampleRecords(events))
    child = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        fileURLToPath(new URL('../../../test/support/frozen-consumer-process.ts', import.meta.url)),
        database.connectionString,
        eventsFile,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await once(child.stdout!, 'data')
    await vi.waitFor(async () => expect(await copying()).toBe(1))

    const successor = testConsumer(log, database.connectionString)
    const begun = performance.now()
    try {
      await successor.start()
      await untilConsumed(log, database.pool)
      expect(performance.now() - begun).toBeLessThan(10_000)
      child.kill('SIGCONT')
      const more = sampleEvents(10)
      await log.append(sampleRecords(more))
      await untilConsumed(log, database.pool)
      expect(await tableState(database.pool)).toEqual({
        ids: idsOf([...events, ...more]),
        dead: 0,
        quarantined: 0,
        rollupDifferences: [],
      })
    } finally {
      await successor.end()
    }
  },
)

/** How many sessions wait for the data of a COPY. */
async function copying(): Promise<number> {
  const { rowCount } = await database.pool.query(
    `select from pg_stat_activity
     where datname = current_database() and query like 'copy public.platform_events%' and wait_event = 'ClientRead'`,
  )
  return rowCount ?? 0
}
