import { randomBytes } from 'node:crypto'
import { createPool } from '@platform-events/postgres'
import { createLogger, createMetrics } from '@platform-events/runtime'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import { addDays, type Day, dayAt, leafOf } from './day.ts'
import { listPartitions } from './partitions.ts'
import { createRetention, type RetentionOptions } from './retention.ts'

const HOUR_MS = 3_600_000
const today = dayAt(Date.now())
/** Noon, so that yesterday is over for long enough. */
const noon = Date.parse(`${today}T12:00:00Z`)

let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())

function retention(options: Partial<RetentionOptions> = {}) {
  return createRetention({
    pool: database.pool,
    logger: createLogger({ name: 'retention', level: 'silent' }),
    metrics: createMetrics(),
    clock: () => noon,
    ...options,
  })
}

const query = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows
const days = async (state: string): Promise<Day[]> =>
  (await listPartitions(database.pool)).filter((partition) => partition.state === state).map(({ day }) => day)
const addEvent = (day: Day) =>
  query(
    `insert into public.platform_events (event_type, created_at, properties) values ('A', $1::date + time '10:00', '{"pro_id": "p1"}')`,
    [day],
  )

describe('premake', () => {
  it('makes the days that are missing, owned by events_owner, and then nothing', async () => {
    const lost = [addDays(today, 3), addDays(today, -2), addDays(today, 1)]
    for (const day of lost) await query(`drop table events_internal.${leafOf(day)}`)
    expect(await retention().check()).toMatchObject({
      ok: false,
      detail: expect.stringContaining(`no partition for ${addDays(today, 1)}`),
    })
    const one = retention()
    const report = await one.runNow()
    expect(report.problems).toEqual([])
    expect(report.premade).toEqual([...lost].sort())
    expect(
      await query('select * from events_internal.missing_days($1, $2)', [addDays(today, -7), addDays(today, 7)]),
    ).toEqual([])
    const owners = await query(
      `select distinct relowner::regrole::text as owner from pg_class where relnamespace = 'events_internal'::regnamespace and relname like 'platform_events_%'`,
    )
    expect(owners).toEqual([{ owner: 'events_owner' }])
    expect((await one.runNow()).premade).toEqual([])
    expect(await one.check()).toMatchObject({ ok: true, detail: expect.stringContaining('7 days ahead') })
  })

  it('is done when start resolves', async () => {
    await query(`drop table events_internal.${leafOf(today)}`)
    const one = retention()
    await one.start()
    await addEvent(today)
    await one.stop()
  })
})

describe('closing a day', () => {
  const yesterday = addDays(today, -1)

  it('builds the GIN on days that are over, once, and leaves today alone', async () => {
    await addEvent(yesterday)
    const one = retention()
    const report = await one.runNow()
    expect(report.problems).toEqual([])
    expect(report.closed).toEqual([-7, -6, -5, -4, -3, -2, -1].map((n) => addDays(today, n)))
    expect(await ginsOf(yesterday)).toEqual([{ valid: true, opclass: 'jsonb_path_ops' }])
    expect(await ginsOf(today)).toEqual([])
    const before = await indexIds(yesterday)
    expect((await one.runNow()).closed).toEqual([])
    expect(await indexIds(yesterday)).toEqual(before)
    await addEvent(yesterday) // late, and welcome
    expect(
      await query(`select count(*)::int as n from public.platform_events where properties @> '{"pro_id":"p1"}'`),
    ).toEqual([{ n: 2 }])
  })

  it('leaves the covering index a part of the parent’s', async () => {
    await retention().runNow()
    const attached = await query(
      `select count(*)::int as n from pg_index x join pg_class c on c.oid = x.indexrelid
       where x.indrelid = $1::regclass and x.indnatts > x.indnkeyatts and x.indisvalid and c.relispartition`,
      [`events_internal.${leafOf(yesterday)}`],
    )
    expect(attached).toEqual([{ n: 1 }])
  })

  it('waits until the day is over for an hour', async () => {
    const midnight = Date.parse(`${today}T00:00:00Z`)
    expect((await retention({ clock: () => midnight + HOUR_MS - 1 }).runNow()).closed).not.toContain(yesterday)
    expect((await retention({ clock: () => midnight + HOUR_MS }).runNow()).closed).toEqual([yesterday])
  })

  it('drops the invalid indexes that a killed build left, and builds again', async () => {
    const leaf = `events_internal.${leafOf(yesterday)}`
    await addEvent(yesterday)
    await killWhileWaiting(
      `create index concurrently "${leafOf(yesterday)}_properties_gin" on ${leaf} using gin (properties jsonb_path_ops)`,
      `lock table ${leaf} in row exclusive mode`,
    )
    const covering = await query(
      `select indexrelid::regclass::text as name from pg_index where indrelid = $1::regclass and indnatts > indnkeyatts`,
      [leaf],
    )
    await killWhileWaiting(`reindex index concurrently ${covering[0].name}`, `lock table ${leaf} in row exclusive mode`)
    expect(await query('select 1 from pg_index where indrelid = $1::regclass and not indisvalid', [leaf])).toHaveLength(
      2,
    )
    const report = await retention().runNow()
    expect(report.problems).toEqual([])
    expect(await ginsOf(yesterday)).toEqual([{ valid: true, opclass: 'jsonb_path_ops' }])
    expect(await query('select 1 from pg_index where indrelid = $1::regclass and not indisvalid', [leaf])).toEqual([])
  })

  async function ginsOf(day: Day) {
    return query(
      `select x.indisvalid as valid, o.opcname as opclass from pg_index x join pg_class c on c.oid = x.indexrelid
       join pg_am a on a.oid = c.relam join pg_opclass o on o.oid = x.indclass[0]
       where x.indrelid = $1::regclass and a.amname = 'gin'`,
      [`events_internal.${leafOf(day)}`],
    )
  }
  async function indexIds(day: Day) {
    return query('select indexrelid from pg_index where indrelid = $1::regclass order by 1', [
      `events_internal.${leafOf(day)}`,
    ])
  }
})

describe('dropping', () => {
  it('drops what lies behind the kept days beside a writer, and keeps its counts', async () => {
    const old = Array.from({ length: 30 }, (_, n) => addDays(today, -91 - n)).reverse()
    for (const day of [...old, addDays(today, -90)]) {
      await query('select events_internal.create_day($1)', [day])
      await addEvent(day)
    }
    const countOf = () =>
      query(
        `select event_count::int as n from public.get_event_counts_by_type(now() - interval '200 days', now() - interval '80 days')`,
      )
    const before = await countOf()
    expect(before).toEqual([{ n: 31 }])
    const writer = startWriter()
    const one = retention()
    const report = await one.runNow()
    const worstMs = await writer.stop()
    expect(report.problems).toEqual([])
    expect(report.dropped).toEqual(old)
    expect((await days('attached'))[0]).toBe(addDays(today, -90))
    expect(writer.written()).toBeGreaterThan(0)
    expect(worstMs).toBeLessThan(2000) // a busy machine's bound; an exclusive lock would hold it for the whole run
    expect(await countOf()).toEqual(before)
    expect(
      await query('select count(*)::int as n from events_internal.event_rollup_hourly where hour < $1::date', [
        addDays(today, -90),
      ]),
    ).toEqual([{ n: 30 }])
    expect((await one.runNow()).dropped).toEqual([])
  })

  it('says in check that drops are overdue, after a day of grace', async () => {
    await query('select events_internal.create_day($1)', [addDays(today, -91)])
    expect(await retention().check()).toMatchObject({ ok: true })
    await query('select events_internal.create_day($1)', [addDays(today, -92)])
    expect(await retention().check()).toMatchObject({ ok: false, detail: expect.stringContaining(addDays(today, -92)) })
  })

  it('finishes a DETACH CONCURRENTLY that was killed, and drops the other old days too', async () => {
    const [pending, other] = [addDays(today, -100), addDays(today, -95)]
    for (const day of [pending, other]) await query('select events_internal.create_day($1)', [day])
    await killDetach(pending)
    expect(await days('pending')).toEqual([pending])
    const report = await retention().runNow()
    expect(report.problems).toEqual([])
    expect(report.dropped).toEqual([pending, other])
    expect(await days('pending')).toEqual([])
  })

  it('makes a day whole again that was half detached though it should be kept', async () => {
    const kept = addDays(today, -3)
    await addEvent(kept)
    await killDetach(kept)
    expect(await query('select 1 from public.platform_events')).toEqual([])
    const report = await retention().runNow()
    expect(report).toMatchObject({ problems: [], repaired: [kept] })
    expect(await query('select 1 from public.platform_events')).toHaveLength(1)
  })

  it('attaches detached days that are to be kept, and drops the others', async () => {
    const [kept, old] = [addDays(today, -40), addDays(today, -91)]
    for (const day of [kept, old]) {
      await query('select events_internal.create_day($1)', [day])
      await query(`alter table public.platform_events detach partition events_internal.${leafOf(day)}`)
    }
    await query('create table events_internal.platform_events_backup (n int)') // none of ours
    const report = await retention().runNow()
    expect(report).toMatchObject({ problems: [], repaired: [kept], dropped: [old] })
    expect(await days('detached')).toEqual([])
    expect(await query(`select to_regclass('events_internal.platform_events_backup') is not null as there`)).toEqual([
      { there: true },
    ])
  })

  async function killDetach(day: Day) {
    await killWhileWaiting(
      `alter table public.platform_events detach partition events_internal.${leafOf(day)} concurrently`,
      'lock table public.platform_events in access share mode',
    )
  }

  function startWriter() {
    let on = true
    let written = 0
    let worstMs = 0
    const done = (async () => {
      while (on) {
        const startedAt = performance.now()
        await addEvent(today)
        written++
        worstMs = Math.max(worstMs, performance.now() - startedAt)
      }
    })()
    return {
      written: () => written,
      async stop() {
        on = false
        await done
        return worstMs
      },
    }
  }
})

describe('who may work', () => {
  it('lets one process work at a time', async () => {
    const other = await database.pool.connect()
    await other.query('select pg_advisory_lock(8098984449828741481)')
    const report = await retention().runNow()
    expect(report.problems).toEqual([{ step: 'lock', message: 'another retention process is at work' }])
    await other.query('select pg_advisory_unlock_all()')
    other.release()
    expect((await retention().runNow()).problems).toEqual([])
  })

  it('works as a plain login that is a member of events_operator', async () => {
    const role = `operator_${randomBytes(4).toString('hex')}`
    await query(`create role ${role} login password 'secret' in role events_operator`)
    const url = new URL(database.connectionString)
    url.username = role
    url.password = 'secret'
    const pool = createPool({ connectionString: url.href, applicationName: 'test' })
    const old = addDays(today, -91)
    await query('select events_internal.create_day($1)', [old])
    await query(`drop table events_internal.${leafOf(today)}`)
    const report = await retention({ pool }).runNow()
    await pool.end()
    await query(`drop role ${role}`)
    expect(report).toMatchObject({ problems: [], premade: [today], dropped: [old] })
    expect(report.closed).toHaveLength(7)
  })

  it('reports what it could not do, and does the rest', async () => {
    const old = addDays(today, -91)
    await query('select events_internal.create_day($1)', [old])
    await query(`create view public.reader as select * from events_internal.${leafOf(old)}`) // DROP TABLE is refused
    const one = retention()
    const report = await one.runNow()
    expect(report.problems).toEqual([{ step: 'drop', day: old, message: expect.stringContaining('depend') }])
    expect(report.closed).toHaveLength(7)
    await query('drop view public.reader')
    expect(await one.runNow()).toMatchObject({ problems: [], dropped: [old] })
  })

  it('stops in the middle of a statement, and the next one finishes', async () => {
    const reader = await database.pool.connect()
    await reader.query('begin; lock table public.platform_events in access share mode')
    const old = addDays(today, -91)
    await query('select events_internal.create_day($1)', [old])
    const one = retention()
    await one.start()
    await expect.poll(() => days('pending'), { timeout: 10_000 }).toEqual([old])
    await one.stop()
    await reader.query('rollback')
    reader.release()
    expect(await retention().runNow()).toMatchObject({ problems: [], dropped: [old] })
  })

  it('refuses to keep less than what late events may touch', () => {
    expect(() => retention({ keepDays: 7 })).toThrow(RangeError)
  })
})

/** Runs a statement that an open transaction holds up half-way, and ends its backend there, as a kill would. */
async function killWhileWaiting(statement: string, hold: string): Promise<void> {
  const holder = await database.pool.connect()
  await holder.query('begin')
  await holder.query(hold)
  const victim = await database.pool.connect()
  const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid')
  const dead = victim.query(statement).then(
    () => undefined,
    (error: Error) => error,
  )
  await expect
    .poll(
      async () =>
        (
          await query(`select wait_event from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'`, [
            rows[0]!.pid,
          ])
        ).length,
      { timeout: 10_000 },
    )
    .toBe(1)
  await query('select pg_terminate_backend($1)', [rows[0]!.pid])
  expect(await dead).toBeInstanceOf(Error)
  victim.release(true)
  await holder.query('rollback')
  holder.release()
}
