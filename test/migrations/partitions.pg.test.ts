import { createPool, type Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sqlstate } from '../support/callers.ts'
import { EACH_KIND, startMigrated } from '../support/grounds.ts'

describe.each(EACH_KIND)('partitions on $name', (ground) => {
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }
  let db: Pool

  beforeAll(async () => {
    database = await startMigrated(ground)
    db = database.pool
  })
  afterAll(async () => {
    await database.stop()
  })

  const createDay = async (day: string) =>
    (await db.query<{ made: boolean }>('select events_internal.create_day($1) as made', [day])).rows[0]!.made
  const missing = async (from: string, to: string) =>
    (
      await db.query<{ day: string }>('select day::text from events_internal.missing_days($1, $2) day', [from, to])
    ).rows.map((row) => row.day)
  const insertAt = (time: string) =>
    db.query(`insert into public.platform_events (event_type, created_at) values ('A', $1)`, [time])

  it('reach from a week back to a week ahead after the migration', async () => {
    const { rows } = await db.query(
      `select count(*)::int as missing
       from events_internal.missing_days((now() at time zone 'UTC')::date - 7, (now() at time zone 'UTC')::date + 7)`,
    )
    expect(rows).toEqual([{ missing: 0 }])
  })

  it('are made once, whoever asks and how often', async () => {
    expect(await missing('2030-01-01', '2030-01-03')).toEqual(['2030-01-01', '2030-01-02', '2030-01-03'])
    expect(await createDay('2030-01-02')).toBe(true)
    expect(await createDay('2030-01-02')).toBe(false)
    expect(await missing('2030-01-01', '2030-01-03')).toEqual(['2030-01-01', '2030-01-03'])
    const results = await Promise.all([1, 2, 3].map(() => createDay('2030-01-03')))
    expect(results.filter(Boolean)).toEqual([true])
  })

  it('are UTC days, in any time zone of the session', async () => {
    const pool = createPool({ connectionString: db.options.connectionString!, applicationName: 'test', max: 1 })
    try {
      await pool.query(`set timezone = 'America/Bogota'`)
      await pool.query(`select events_internal.create_day('2030-03-10')`)
      expect((await pool.query(`select * from events_internal.missing_days('2030-03-10', '2030-03-10')`)).rows).toEqual(
        [],
      )
    } finally {
      await pool.end()
    }
    await insertAt('2030-03-10T00:00:00Z')
    await insertAt('2030-03-10T23:59:59.999999Z')
    expect(await sqlstate(insertAt('2030-03-09T23:59:59.999999Z'))).toBe('23514')
    expect(await sqlstate(insertAt('2030-03-11T00:00:00Z'))).toBe('23514')
  })

  it('have the six indexes, the triggers and the owner of the parent, and no GIN', async () => {
    await createDay('2030-04-01')
    const { rows } = await db.query(
      `select pg_get_userbyid(relowner) as owner,
              (select count(*)::int from pg_index i join pg_inherits h on h.inhrelid = i.indexrelid where i.indrelid = c.oid) as inherited,
              (select count(*)::int from pg_index where indrelid = c.oid) as indexes,
              (select count(*)::int from pg_trigger where tgrelid = c.oid and tgparentid <> 0) as triggers
       from pg_class c where c.oid = 'events_internal.platform_events_20300401'::regclass`,
    )
    expect(rows).toEqual([{ owner: 'events_owner', inherited: 6, indexes: 6, triggers: 3 }])
    const gin =
      await db.query(`select from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
                                where amname = 'gin' and indrelid = 'public.platform_events'::regclass`)
    expect(gin.rowCount).toBe(0)
  })

  it('come back with their rows when a kill left them detached', async () => {
    await createDay('2030-05-01')
    await insertAt('2030-05-01T12:00:00Z')
    await db.query(
      'alter table public.platform_events detach partition events_internal.platform_events_20300501 concurrently',
    )
    expect(await missing('2030-05-01', '2030-05-01')).toEqual(['2030-05-01'])
    expect(await createDay('2030-05-01')).toBe(true)
    expect(
      (await db.query(`select from public.platform_events where created_at = '2030-05-01T12:00:00Z'`)).rowCount,
    ).toBe(1)
    await insertAt('2030-05-01T13:00:00Z')
  })

  it('come back when a kill left a DETACH CONCURRENTLY half done', async () => {
    await createDay('2030-06-01')
    await detachHalfWay(db, '20300601')
    expect(await missing('2030-06-01', '2030-06-01')).toEqual(['2030-06-01'])
    expect(await createDay('2030-06-01')).toBe(true)
    await insertAt('2030-06-01T12:00:00Z')
  })

  it('are not waited for by writers: a long insert blocks neither the making nor the next insert', async () => {
    const slow = await db.connect()
    try {
      await slow.query(`begin; insert into public.platform_events (event_type) values ('Slow')`)
      expect(await createDay('2030-07-01')).toBe(true)
      await db.query(`insert into public.platform_events (event_type) values ('Next')`)
      await slow.query('commit')
    } finally {
      slow.release()
    }
  })

  it('are dropped by cleanup after 90 whole days, the counts stay', async () => {
    const days = await db.query<{ day: string; age: number }>(
      `select ((now() at time zone 'UTC')::date - age)::text as day, age from unnest(array[89, 90, 91, 92, 93, 120]) age order by age`,
    )
    for (const { day } of days.rows) {
      await createDay(day)
      await insertAt(`${day}T12:00:00Z`)
      await db.query('insert into events_internal.closed_days (day) values ($1)', [day])
    }
    const dayAt = (age: number) => days.rows.find((row) => row.age === age)!.day
    const leaf = (age: number) => `events_internal.platform_events_${dayAt(age).replaceAll('-', '')}`
    // Left behind by kills: one half-detached, one detached and overdue, one detached and still wanted.
    await detachHalfWay(db, dayAt(120).replaceAll('-', ''))
    await db.query(`alter table public.platform_events detach partition ${leaf(93)}`)
    await db.query(`alter table public.platform_events detach partition ${leaf(89)}`)

    await db.query('select public.cleanup_old_platform_events()')

    const left = await db.query<{ age: number }>(
      `select age from unnest(array[89, 90, 91, 92, 93, 120]) age
       where to_regclass('events_internal.platform_events_' || to_char((now() at time zone 'UTC')::date - age, 'YYYYMMDD')) is not null`,
    )
    expect(left.rows.map((row) => row.age)).toEqual([89, 90])
    expect(await missing(dayAt(90), dayAt(89))).toEqual([])
    expect((await db.query('select from events_internal.closed_days')).rowCount).toBe(2)
    const counted = await db.query(
      'select from events_internal.event_rollup_hourly where hour = any ($1::timestamptz[])',
      [days.rows.map(({ day }) => `${day}T12:00:00Z`)],
    )
    expect(counted.rowCount).toBe(6)
    await db.query('select public.cleanup_old_platform_events()')
  })

  it('are left alone by cleanup with a warning while the table is in use', async () => {
    const day = (await db.query<{ day: string }>(`select ((now() at time zone 'UTC')::date - 100)::text as day`))
      .rows[0]!.day
    await createDay(day)
    const reader = await db.connect()
    const cleaner = await db.connect()
    const warnings: string[] = []
    cleaner.on('notice', (notice) => warnings.push(notice.message ?? ''))
    try {
      await reader.query('begin; select count(*) from public.platform_events')
      await cleaner.query('select public.cleanup_old_platform_events()')
      expect(warnings).toEqual([expect.stringContaining('old partitions not dropped')])
      expect(await missing(day, day)).toEqual([])
      await reader.query('commit')
      await cleaner.query('select public.cleanup_old_platform_events()')
      expect(await missing(day, day)).toEqual([day])
    } finally {
      reader.release(true)
      cleaner.release(true)
    }
  })
})

/** Starts DETACH CONCURRENTLY, has it wait for a reader, and kills it there. */
async function detachHalfWay(db: Pool, day: string): Promise<void> {
  const reader = await db.connect()
  const detacher = await db.connect()
  detacher.on('error', () => undefined)
  try {
    const { rows } = await detacher.query<{ pid: number }>('select pg_backend_pid() as pid')
    await reader.query('begin; select count(*) from public.platform_events')
    const detaching = sqlstate(
      detacher.query(
        `alter table public.platform_events detach partition events_internal.platform_events_${day} concurrently`,
      ),
    )
    await expect
      .poll(async () => (await db.query('select from pg_inherits where inhdetachpending')).rowCount, {
        timeout: 10_000,
      })
      .toBe(1)
    await db.query('select pg_terminate_backend($1)', [rows[0]!.pid])
    expect(await detaching).not.toBe('')
  } finally {
    reader.release(true)
    detacher.release(true)
  }
}
