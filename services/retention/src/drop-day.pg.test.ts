import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { retentionFixture, today } from '../../../test/support/retention.ts'
import { addDays, type Day, leafOf } from './day.ts'

const { retention, query, days, addEvent, killWhileWaiting } = retentionFixture({ beforeEach, afterEach })

describe('dropping', () => {
  it('drops nothing while its clock and that of Postgres are days apart', async () => {
    await addEvent(today)
    const ahead = retention({ clock: () => Date.now() + 400 * 24 * 60 * 60 * 1000 })
    const report = await ahead.runNow()
    expect(report.dropped).toEqual([])
    expect(report.problems).toMatchObject([{ step: 'clock' }])
    expect(await query('select count(*)::int as n from public.platform_events')).toEqual([{ n: 1 }])
    await ahead.stop()
  })

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
    const [pending, other] = [addDays(today, -95), addDays(today, -100)] // the pending one is not the oldest
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
