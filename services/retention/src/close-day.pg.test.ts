import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { retentionFixture, today } from '../../../test/support/retention.ts'
import { addDays, type Day, leafOf } from './day.ts'

const { retention, query, addEvent, killWhileWaiting } = retentionFixture({ beforeEach, afterEach })

const HOUR_MS = 3_600_000

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
