import { randomBytes } from 'node:crypto'
import { createPool } from '@platform-events/postgres'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { retentionFixture, today } from '../../../test/support/retention.ts'
import { addDays, leafOf } from './day.ts'

const { database, retention, query, days, addEvent } = retentionFixture({ beforeEach, afterEach })

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

describe('between two runs', () => {
  it('makes a day that is needed and went missing, without waiting for the next run', async () => {
    const one = retention({ lookEveryMs: 20 })
    await one.start()
    await query(`drop table events_internal.${leafOf(addDays(today, 1))}`)
    await vi.waitFor(async () => expect(await one.check()).toMatchObject({ ok: true }), { timeout: 10_000 })
    await one.stop()
  })
})

describe('who may work', () => {
  it('lets one process work at a time', async () => {
    const other = await database().pool.connect()
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
    const url = new URL(database().connectionString)
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
    const reader = await database().pool.connect()
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

it('anonymises events of deleted users that came in after the deletion', async () => {
  const [row] = await query('insert into auth.users (id) values (gen_random_uuid()) returning id')
  await query('delete from auth.users where id = $1', [row.id])
  await query(`insert into public.platform_events (event_type, user_id, session_id) values ('A', $1, 'late')`, [row.id])
  expect((await retention().runNow()).problems).toEqual([])
  expect(await query('select user_id from public.platform_events')).toEqual([{ user_id: null }])
  expect(await query('select from events_internal.session_users')).toEqual([])
})
