import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalLog } from '@platform-events/event-log'
import { createLogger, createMetrics } from '@platform-events/runtime'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  idsOf,
  sampleEvent,
  sampleEvents,
  sampleRecord,
  sampleRecords,
  tableState,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'
import { ScriptedLog } from '../../../test/support/scripted-log.ts'
import { actorKey } from './actor-key.ts'

let database: TestDatabase
const open: { end(): Promise<void> }[] = []

beforeEach(async () => {
  database = await createTestDatabase()
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((consumer) => consumer.end()))
  expect((await tableState(database.pool)).rollupDifferences).toEqual([])
  await database.drop()
})

describe('a consumer', () => {
  it('stores every column of what the log holds', async () => {
    const log = new ScriptedLog()
    const user = randomUUID()
    const event = sampleEvent({
      event_type: 'Búsqueda',
      user_id: user,
      session_id: 'sesión 1',
      created_at: new Date(Date.now() - 5000).toISOString().replace('Z', '456Z'),
      stream: randomUUID(),
      seq: 7,
      properties: { city: 'Bogotá', nested: { a: [1, 2.5, null] } },
    })
    await log.append([sampleRecord([event, sampleEvent({ session_id: 'sesión 2' })], { source_id: 3 })])
    await run(log)
    const { rows } = await database.pool.query(
      `select *, events_internal.actor_key(user_id, session_id) as sql_key,
              to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as exact
       from public.platform_events order by user_id`,
    )
    expect(rows).toHaveLength(2)
    expect(rows[0]).toMatchObject({
      id: event.id,
      event_type: 'Búsqueda',
      user_id: user,
      session_id: 'sesión 1',
      properties: event.properties,
      source_id: 3,
      stream: event.stream,
      seq: 7,
      raw_created_at: null,
      actor_key: String(actorKey(user, null)),
      exact: event.created_at,
    })
    expect(rows.map((row) => row.actor_key)).toEqual(rows.map((row) => row.sql_key))
  })

  it('stores nothing twice that a second consumer gets again from the start', async () => {
    const log = new ScriptedLog(3)
    const events = sampleEvents(500)
    await log.append(sampleRecords(events))
    await run(log)
    // One that believes nothing is stored, as if it had read the offsets before the first one's commit.
    const consume = log.consume.bind(log)
    log.consume = (options) => consume({ ...options, from: async () => null })
    const metrics = createMetrics()
    const stale = testConsumer(log, database.connectionString, { metrics })
    open.push(stale)
    await stale.start()
    const more = sampleEvents(100)
    await log.append(sampleRecords(more))
    await untilConsumed(log, database.pool)
    expect((await tableState(database.pool)).ids).toEqual(idsOf([...events, ...more]))
    // Stopped by the offsets, before it copied anything.
    await vi.waitFor(async () => expect(await metrics.metrics()).toMatch(/^consumer_fenced_total [1-9]/m))
    expect(await metrics.metrics()).not.toMatch(/outcome="duplicate"} [1-9]/)
  })

  it('goes on where it was, with a local log opened anew', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'platform-events-log-'))
    const events = sampleEvents(300)
    for (const part of [events.slice(0, 120), events.slice(120)]) {
      const log = await openLocalLog({ directory, logger: createLogger({ name: 'test', level: 'silent' }) })
      await log.append(sampleRecords(part))
      const consumer = testConsumer(log, database.connectionString)
      await consumer.start()
      await untilConsumed(log, database.pool)
      await consumer.end()
      await log.close()
    }
    await rm(directory, { recursive: true })
    expect((await tableState(database.pool)).ids).toEqual(idsOf(events))
  })

  it('counts an event once that came in several batches, and twice in one', async () => {
    const log = new ScriptedLog(2)
    const events = sampleEvents(300)
    await log.append(sampleRecords(events))
    await run(log)
    const more = sampleEvents(50)
    // The same bytes again, through another request: other records, other topic partitions.
    await log.append(sampleRecords([...events.slice(0, 200), ...more, ...more], 7))
    await untilConsumed(log, database.pool)
    expect((await tableState(database.pool)).ids).toEqual(idsOf([...events, ...more]))
  })

  it('sets one bad row of 5,000 aside, with where it came from', async () => {
    const log = new ScriptedLog()
    const events = sampleEvents(5000)
    const bad = sampleEvent({ session_id: longText(6000) })
    await log.append(sampleRecords([...events.slice(0, 1234), bad, ...events.slice(1234)], 50))
    await run(log)
    expect((await tableState(database.pool)).ids).toEqual(idsOf(events))
    const { rows } = await database.pool.query('select * from events_internal.dead_letters')
    expect(rows).toMatchObject([
      { sqlstate: '54000', reason: 'refused', record_offset: '24', line: 34, event_id: bad.id, source_id: 1 },
    ])
    expect(JSON.parse(rows[0].raw.toString())).toMatchObject({ id: bad.id })
  })

  it.each([
    ['a number that numeric cannot hold', '{"n":1e140000}', '22003'],
    ['an escaped NUL', '{"n":"\\u0000"}', '22P05'],
    ['a lone surrogate', '{"n":"\\ud800"}', '22P02'],
    ['broken JSON', '{"n":{"a"}}', '22P02'],
    ['a second object', '{"n":1},"properties":{"n":2}', '22P02'],
  ])('sets aside %s', async (_, properties, sqlstate) => {
    const log = new ScriptedLog()
    const good = sampleEvents(20)
    const { properties: __, ...head } = sampleEvent()
    const line = `${JSON.stringify(head).slice(0, -1)},"properties":${properties}}`
    await log.append([sampleRecord([...good.slice(0, 10), line, ...good.slice(10)])])
    await run(log)
    expect((await tableState(database.pool)).ids).toEqual(idsOf(good))
    const { rows } = await database.pool.query('select sqlstate, line, raw from events_internal.dead_letters')
    expect(rows).toEqual([{ sqlstate, line: 10, raw: Buffer.from(line) }])
  })

  it('sets aside what is no event, and quarantines what lies outside the late window', async () => {
    const log = new ScriptedLog()
    const good = sampleEvents(3)
    const old = sampleEvent({ created_at: new Date(Date.now() - 8 * 86_400_000).toISOString() })
    const ahead = sampleEvent({ created_at: new Date(Date.now() + 3_600_000).toISOString() })
    await log.append([sampleRecord(['garbage', ...good, old, '{"id":1}', ahead]), sampleRecord([old])])
    await run(log)
    expect(await tableState(database.pool)).toMatchObject({ ids: idsOf(good), dead: 2, quarantined: 2 })
    const { rows } = await database.pool.query(
      'select event_id, reason from events_internal.quarantined_events order by reason',
    )
    expect(rows).toEqual([
      { event_id: ahead.id, reason: 'in_future' },
      { event_id: old.id, reason: 'too_old' },
    ])
  })

  it('asks for a day that has no partition', async () => {
    const log = new ScriptedLog()
    const day = new Date(Date.now() - 3 * 86_400_000)
    const leaf = `events_internal.platform_events_${day.toISOString().slice(0, 10).replaceAll('-', '')}`
    await database.pool.query(`drop table ${leaf}`)
    const events = [...sampleEvents(10), ...sampleEvents(10, { created_at: day.toISOString() })]
    await log.append(sampleRecords(events))
    await run(log)
    expect((await tableState(database.pool)).ids).toEqual(idsOf(events))
  })

  it('finds by its id what came before under another created_at', async () => {
    const log = new ScriptedLog()
    const now = Date.now()
    const at = (ms: number) => new Date(now - ms).toISOString()
    const known = sampleEvent({ created_at: at(60_000) })
    const corrected = { ...known, created_at: at(360_000), raw_created_at: at(9_000_000) }
    const received = sampleEvent({ created_at: at(1000), time_of_receipt: true })
    const again = { ...received, created_at: at(10) }
    const twice = sampleEvent({ created_at: at(2000), time_of_receipt: true })
    await log.append([sampleRecord([known, received])])
    await run(log)
    await log.append([sampleRecord([corrected, again, twice, { ...twice, created_at: at(5) }])])
    await untilConsumed(log, database.pool)
    expect((await tableState(database.pool)).ids).toEqual(idsOf([known, received, twice]))
  })

  it('finds by its id what was sent again after days, its time being that of the receipt', async () => {
    const log = new ScriptedLog()
    const received = (daysAgo: number) => new Date(Date.now() - daysAgo * 86_400_000).toISOString()
    const event = sampleEvent({ time_of_receipt: true })
    for (const day of [6, 3, 0])
      await log.append([sampleRecord([{ ...event, created_at: received(day) }], { received_at: received(day) })])
    await run(log)
    expect((await tableState(database.pool)).ids).toEqual([event.id])
  })

  it('gives a session to the user of its earliest event, whatever the order of arrival', async () => {
    const log = new ScriptedLog()
    const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()]
    const at = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString()
    const session = 'shared device'
    const of = (user: string, created_at: string) => sampleEvent({ session_id: session, user_id: user, created_at })
    await log.append([sampleRecord([of(second, at(50)), of(third, at(40))])])
    await run(log)
    await expectOwner(session, second)
    await log.append([sampleRecord([sampleEvent({ session_id: session, created_at: at(90) }), of(first, at(60))])])
    await untilConsumed(log, database.pool)
    await expectOwner(session, first)
    await log.append([sampleRecord([of(third, at(30))])])
    await untilConsumed(log, database.pool)
    await expectOwner(session, first)
  })
})

async function run(log: ScriptedLog): Promise<void> {
  const consumer = testConsumer(log, database.connectionString)
  open.push(consumer)
  await consumer.start()
  await untilConsumed(log, database.pool)
}

async function expectOwner(session: string, user: string): Promise<void> {
  const { rows } = await database.pool.query(
    'select user_id, user_key, session_key from events_internal.session_users where session_id = $1',
    [session],
  )
  expect(rows).toEqual([
    { user_id: user, user_key: String(actorKey(user, null)), session_key: String(actorKey(null, session)) },
  ])
}

/** Text that does not compress, so that an index row of it is too long. */
function longText(length: number): string {
  return Array.from({ length: Math.ceil(length / 36) }, () => randomUUID()).join('')
}
