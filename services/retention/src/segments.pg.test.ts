import type { Pool, PoolClient } from '@platform-events/postgres'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asCaller } from '../../../test/support/callers.ts'
import { createTestDatabase } from '../../../test/support/postgres.ts'
import { retentionFixture, today } from '../../../test/support/retention.ts'
import { readBothWays } from '../../../test/support/segment-reader.ts'
import { buildSegments } from '../../../test/support/segments.ts'
import { buildSegment } from './build-segment.ts'
import { addDays } from './day.ts'
import { UnfitDayError } from './segment-rows.ts'
import { openSession } from './session.ts'
import { verifySegment } from './verify-segment.ts'

const { database, retention, query } = retentionFixture({ beforeEach, afterEach })
const signal = new AbortController().signal
const [day, before] = [addDays(today, -1), addDays(today, -2)]

const USER = '00000000-0000-4000-8000-000000000001'

const addEvents = (events: { count: number; day: string; properties: string }) =>
  query(
    `insert into public.platform_events (event_type, created_at, user_id, session_id, properties)
     select 'T' || n % 3, $2::date + n / 3 * interval '1.000123 seconds',
            case when n % 5 = 0 then ('00000000-0000-4000-8000-' || lpad((n % 7)::text, 12, '0'))::uuid end,
            case when n % 11 > 0 then 's' || n % 20 end, ${events.properties}
     from generate_series(1, $1) n`,
    [events.count, events.day],
  )

const build = async (options: { mostRows?: number } = {}) => {
  const session = (await openSession(database().pool))!
  try {
    return await buildSegment(session, day, { signal, ...options })
  } finally {
    await session.close()
  }
}

describe('segments', () => {
  it('have the rows of the day, and their properties', async () => {
    await addEvents({
      ...{ count: 600, day },
      properties: `case n % 4 when 0 then 'null' when 1 then '[1]' else jsonb_build_object(
        'p', case n % 6 when 0 then null when 1 then to_jsonb(n) when 2 then to_jsonb('é"\\,}' || n)
                        when 3 then '{"a": ["}", {"b": null}]}' else 'true' end, '', n % 2, 'ключ "quoted"', n % 3.5) end`,
    })
    await build()
    for (const property of ['p', '', 'ключ "quoted"', 'absent']) {
      const { bySegments, raw, segments } = await readBothWays(database().pool, day, day, property)
      expect(segments).toEqual([day])
      expect(raw).toHaveLength(600)
      expect(bySegments).toEqual(raw)
    }
    expect(await verifySegment(database().pool, day)).toEqual({ day, verdict: 'same', parts: [] })
  })

  it('say which properties they do not keep, and when there are too many', async () => {
    await addEvents({ count: 1200, day, properties: `jsonb_build_object('long', repeat(n::text, 400), 'p', n % 2)` })
    await build()
    expect(await query('select property, kept from events_internal.event_segment_columns order by 1')).toEqual([
      { property: '$source', kept: true },
      { property: 'long', kept: false },
      { property: 'p', kept: true },
    ])
    expect(await query('select all_properties from events_internal.usable_segments')).toEqual([
      { all_properties: true },
    ])
    await addEvents({ count: 501, day, properties: `jsonb_build_object('name' || n, n)` })
    await build()
    expect(await query('select all_properties from events_internal.usable_segments')).toEqual([
      { all_properties: false },
    ])
    expect(await verifySegment(database().pool, day)).toMatchObject({ verdict: 'same' })
  })

  it('are built when a day is closed, again when events come late, and are gone with their day', async () => {
    await addEvents({ count: 20, day, properties: `'{"p": 1}'` })
    const one = retention({ segmentsEveryMs: 20 })
    const report = await one.runNow()
    expect(report).toMatchObject({ problems: [], leftRaw: [] })
    expect(report.segmented).toEqual(report.closed.toReversed())
    expect((await one.runNow()).segmented).toEqual([])

    await addEvents({ count: 1, day, properties: `'{"p": 2}'` })
    const { bySegments, raw, lateRows } = await readBothWays(database().pool, before, day, 'p')
    expect({ lateRows, rows: raw.length }).toEqual({ lateRows: 1, rows: 21 })
    expect(bySegments).toEqual(raw)
    expect(await verifySegment(database().pool, day)).toMatchObject({ verdict: 'late' })
    await one.start()
    await expect.poll(() => verifySegment(database().pool, day), { timeout: 10_000 }).toMatchObject({ verdict: 'same' })
    expect(await query('select row_count from events_internal.usable_segments where day = $1', [day])).toEqual([
      { row_count: 21 },
    ])
    await one.stop()

    await query('truncate public.platform_events')
    expect(await query('select from events_internal.usable_segments')).toEqual([])
    expect(await retention().runNow()).toMatchObject({ problems: [], segmented: expect.arrayContaining([day, before]) })
    const old = addDays(today, -91)
    await query('select events_internal.create_day($1)', [old])
    await query('insert into events_internal.event_segments (day) values ($1)', [old])
    await query(`insert into public.platform_events (event_type, created_at) values ('A', $1)`, [old])
    expect(await query('select from events_internal.segment_changes')).toHaveLength(1)
    await query('select public.cleanup_old_platform_events()')
    expect(await query('select from events_internal.segment_changes')).toHaveLength(0)
    expect(await query('select from events_internal.event_segments where day = $1', [old])).toEqual([])
  })

  it('have versions that no other build has, also not in a copy of the database', async () => {
    await addEvents({ count: 2, day, properties: `'{}'` })
    const select = 'select version from events_internal.usable_segments'
    const found: { version: string }[] = []
    for (let n = 0; n < 2; n += 1) {
      await build()
      found.push(...(await query(select)))
    }
    const copy = await createTestDatabase()
    await buildSegments(copy.pool, [day])
    found.push(...(await copy.pool.query(select)).rows)
    await copy.drop()
    expect(new Set(found.map(({ version }) => version))).toHaveProperty('size', 3)
  })

  it('of another format are built again', async () => {
    await addEvents({ count: 2, day, properties: `'{}'` })
    await retention().runNow()
    await query('update events_internal.event_segments set format = format + 1 where day = $1', [day])
    expect((await retention().runNow()).segmented).toEqual([day])
    expect((await retention().runNow()).segmented).toEqual([])
  })

  it('are refused to a day with too many rows, also where it had one; it is read raw', async () => {
    await addEvents({ count: 3, day, properties: `'{}'` })
    await expect(build({ mostRows: 2 })).rejects.toThrow(UnfitDayError)
    expect(await query('select day from events_internal.event_segments')).toEqual([])
    await build()
    await addEvents({ count: 1, day, properties: `'{}'` })
    await expect(build({ mostRows: 3 })).rejects.toThrow(UnfitDayError)
    await addEvents({ count: 1, day, properties: `'{}'` })
    const { bySegments, raw, segments } = await readBothWays(database().pool, day, day, 'p')
    expect(segments).toEqual([])
    expect(bySegments).toEqual(raw)
    // Nor does anybody go on marking the day.
    expect(await query('select day from events_internal.event_segments')).toEqual([])
    expect(await query('select day from events_internal.segment_changes')).toEqual([])
  })

  it('are found out when somebody went round the marks', async () => {
    await addEvents({ count: 9, day, properties: `'{"p": 1}'` })
    await build()
    await query(`update events_internal.platform_events_${day.replaceAll('-', '')} set properties = '{"p": 2}'`)
    expect(await verifySegment(database().pool, day)).toEqual({ day, verdict: 'different', parts: ['p'] })
  })
})

describe('a segment is not built, or not used', () => {
  const both = () => readBothWays(database().pool, day, day, 'p')
  const opened: PoolClient[] = []
  const connect = async () => {
    const client = await database().pool.connect()
    opened.push(client)
    return client
  }
  afterEach(() => {
    for (const client of opened.splice(0)) client.release(true)
  })

  it('before everybody has ended who wrote, and looked for segments, before there was to be one', async () => {
    const [loader, guest] = [await connect(), await connect()]
    await loader.query('begin')
    await insertEvent(loader, { session: 'late' })
    // Whoever logs in looks for the session's key in actors, where it is not yet.
    await insertEvent(database().pool, { session: 'guest' })
    await guest.query('begin')
    await insertEvent(guest, { session: 'guest', user: USER })
    const building = build()
    await expect.poll(() => query('select from events_internal.actors'), { timeout: 5000 }).toHaveLength(1)
    await loader.query('commit')
    await guest.query('commit')
    expect(await building).toMatchObject({ rows: 3, actors: 2 })
    const { bySegments, raw, segments } = await both()
    expect(segments).toEqual([day])
    expect(bySegments).toEqual(raw)
  })

  it('while somebody who has looked in vain for events of a session may still give it to a user', async () => {
    const [old, login] = [await connect(), await connect()]
    await query(`insert into events_internal.actors (actor_key) select events_internal.actor_key(null, 's')`)
    await old.query('begin; select pg_current_xact_id()')
    const building = build()
    const state = `select wait_event from pg_stat_activity where datname = current_database() and query ~ $1 and pid <> pg_backend_pid()`
    // From here on the fence waits for nobody new.
    await expect.poll(() => query(state, ['ended_before']), { timeout: 5000 }).toHaveLength(1)
    await login.query('begin')
    await login.query(
      `insert into public.platform_events (event_type, user_id, session_id) values ('SignedIn', $1, 's')`,
      [USER],
    )
    await insertEvent(database().pool, { session: 's' })
    await old.query('commit')
    const waits = expect.poll(() => query(state, ['pg_advisory_lock']), { timeout: 5000 })
    await Promise.race([building, waits.toEqual([{ wait_event: 'advisory' }])])
    await login.query('commit')
    expect(await building).toMatchObject({ rows: 1 })
    const { bySegments, raw, segments } = await both()
    expect(segments).toEqual([day])
    expect(bySegments).toEqual(raw)
  })

  it('without the row of somebody who could not look, their snapshot being older', async () => {
    const client = await connect()
    await client.query('begin isolation level repeatable read; select 1')
    await build()
    await insertEvent(client, { session: 'late' })
    await client.query('commit')
    const { bySegments, raw, lateRows } = await both()
    expect(lateRows).toBe(1)
    expect(bySegments).toEqual(raw)
  })

  it('while it says of a guest what is now known to be a user', async () => {
    await insertEvent(database().pool, { session: 's' })
    await build()
    await asCaller(database().pool, { role: 'authenticated', userId: USER }, (ask) =>
      ask(`insert into public.platform_events (event_type, user_id, session_id) values ('SignedIn', $1, 's')`, [USER]),
    )
    expect(await both()).toMatchObject({ segments: [], raw: [{ actor: await keyOf(USER) }] })
    await build()
    const { bySegments, raw, segments } = await both()
    expect(segments).toEqual([day])
    expect(bySegments).toEqual(raw)
    // And back again, for a user who is forgotten.
    await query('insert into auth.users (id) values ($1)', [USER])
    await query('delete from auth.users where id = $1', [USER])
    expect(await both()).toMatchObject({ segments: [], raw: [{ actor: expect.not.stringMatching(await keyOf(USER)) }] })
  })

  it('for nothing that a login changes where the session has no events of that day', async () => {
    await insertEvent(database().pool, { session: 's' })
    await build()
    await query(
      `insert into public.platform_events (event_type, user_id, session_id) values ('SignedIn', $1, 'other')`,
      [USER],
    )
    expect((await both()).segments).toEqual([day])
  })

  async function keyOf(user: string): Promise<string> {
    return (await query('select events_internal.actor_key($1, null)::text as key', [user]))[0].key
  }

  function insertEvent(client: Pool | PoolClient, event: { session: string; user?: string }) {
    return client.query(
      `insert into public.platform_events (event_type, created_at, user_id, session_id)
       values ('A', $1::date + time '10:00', $2, $3)`,
      [day, event.user ?? null, event.session],
    )
  }
})
