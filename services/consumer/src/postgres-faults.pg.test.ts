import { execFile } from 'node:child_process'
import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
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

const run = promisify(execFile)

let database: TestDatabase
let name: string

beforeEach(async () => {
  database = await createTestDatabase()
  name = new URL(database.connectionString).pathname.slice(1)
})

afterEach(async () => {
  await database.drop()
})

/** The consumer's sessions of this database begin anew, and find what was set meanwhile. */
async function cutConnections(): Promise<void> {
  await database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name like 'platform-events consumer%'`,
  )
}

/** Loads some, has the fault begin, and expects that nothing is given up, and all of it stored once when the fault ends. */
async function expectToSurvive(
  fault: { begin(): Promise<void>; end(): Promise<void>; sqlstate: string },
  url?: string,
) {
  const log = new ScriptedLog(2)
  const events = sampleEvents(3000)
  const records = sampleRecords(events)
  const consumer = testConsumer(log, url ?? database.connectionString, { maxEvents: 500 })
  try {
    await consumer.start()
    await log.append(records.splice(0, 50))
    await untilConsumed(log, database.pool)
    await fault.begin()
    await log.append(records.splice(0))
    await vi.waitFor(
      async () => {
        const { ok, detail } = await consumer.check()
        expect(ok).toBe(false)
        // Time mends it: nobody is called, and nothing is dead-lettered.
        expect(detail).toContain(`retrying`)
        expect(detail).toContain(fault.sqlstate)
      },
      { timeout: 10_000 },
    )
    await fault.end()
    await untilConsumed(log, database.pool)
    const { ids, dead, quarantined, rollupDifferences } = await tableState(database.pool)
    expect({ ids, dead, quarantined, rollupDifferences }).toEqual({
      ...{ ids: idsOf(events), dead: 0, quarantined: 0, rollupDifferences: [] },
    })
    expect((await consumer.check()).ok).toBe(true)
  } finally {
    await consumer.end()
  }
}

describe('a consumer waits, and then stores everything once, where Postgres', () => {
  it('has become read-only, as after a failover to a replica', async () => {
    await expectToSurvive({
      sqlstate: '25006',
      async begin() {
        await database.pool.query(`alter database ${name} set default_transaction_read_only = on`)
        await cutConnections()
      },
      async end() {
        await database.pool.query(
          `begin read write; alter database ${name} reset default_transaction_read_only; commit`,
        )
        await cutConnections()
      },
    })
  })

  it('has too many connections', async () => {
    const role = `${name}_login`
    await database.pool.query(
      `create role ${role} login password 'secret' in role events_owner, events_writer;
       grant usage on schema events_internal to ${role}`,
    )
    const url = new URL(database.connectionString)
    Object.assign(url, { username: role, password: 'secret' })
    try {
      const limit = (n: number) => database.pool.query(`alter role ${role} connection limit ${n}`)
      await expectToSurvive(
        {
          sqlstate: '53300',
          begin: async () => void (await limit(0).then(cutConnections)),
          end: async () => void (await limit(-1)),
        },
        url.href,
      )
    } finally {
      await database.pool.query(`drop owned by ${role}; drop role ${role}`)
    }
  })

  it('cancels what takes longer than its statement_timeout', async () => {
    await expectToSurvive({
      sqlstate: '57014',
      async begin() {
        await database.pool.query(`alter database ${name} set statement_timeout = '50ms'`)
        await database.pool.query(SLOW_ROLLUP)
        await cutConnections()
      },
      async end() {
        await database.pool.query(`alter database ${name} reset statement_timeout`)
        await database.pool.query('drop trigger slow on events_internal.event_rollup_hourly')
        await cutConnections()
      },
    })
  })

  it('has no space left on its disk', async ({ skip }) => {
    const folder = await mkdtemp(join(tmpdir(), 'platform-events-disk-'))
    const { rows } = await database.pool.query<{ data: string }>(`select current_setting('data_directory') as data`)
    const owner = await stat(rows[0]!.data).catch(() => null)
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]).then(
      () => true,
      () => false,
    )
    skip(!mounted || owner === null, 'this root may not mount, or Postgres is on another machine')
    const space = `${name}_space`
    try {
      await chown(folder, owner!.uid, owner!.gid)
      await database.pool.query(`create tablespace ${space} location '${folder}'`)
      const days = await database.pool.query<{ day: string }>(
        `select inhrelid::regclass::text as day from pg_inherits where inhparent = 'public.platform_events'::regclass`,
      )
      for (const { day } of days.rows) await database.pool.query(`alter table ${day} set tablespace ${space}`)
      const filler = join(folder, 'filler')
      await expectToSurvive({
        sqlstate: '53100',
        begin: () => writeFile(filler, Buffer.alloc(4 << 20)).catch(() => undefined),
        end: () => rm(filler),
      })
      for (const { day } of days.rows) await database.pool.query(`alter table ${day} set tablespace pg_default`)
      await database.pool.query(`drop tablespace ${space}`)
    } finally {
      await run('umount', [folder])
      await rm(folder, { recursive: true })
    }
  })

  it('cuts every connection again and again', async () => {
    let cutting = true
    let done: Promise<void> | undefined
    const log = new ScriptedLog(2)
    const events = sampleEvents(3000)
    const consumer = testConsumer(log, database.connectionString, { maxEvents: 300 })
    try {
      await consumer.start()
      done = (async () => {
        while (cutting) await cutConnections()
      })()
      await log.append(sampleRecords(events))
      await vi.waitFor(async () => expect((await consumer.check()).ok).toBe(false), { timeout: 10_000, interval: 5 })
      cutting = false
      await done
      await untilConsumed(log, database.pool)
      expect((await tableState(database.pool)).ids).toEqual(idsOf(events))
    } finally {
      cutting = false
      await done
      await consumer.end()
    }
  })
})

const SLOW_ROLLUP = `
  create or replace function public.slow_for_test() returns trigger language plpgsql as
    $$ begin perform pg_sleep(1); return null; end $$;
  create trigger slow after insert on events_internal.event_rollup_hourly for each statement execute function public.slow_for_test()`
