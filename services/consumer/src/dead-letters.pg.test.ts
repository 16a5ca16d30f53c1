import { randomUUID } from 'node:crypto'
import { LIMITS, type LoggedEvent, logLine } from '@platform-events/contracts'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  idsOf,
  sampleEvent,
  sampleEvents,
  sampleRecord,
  tableState,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'
import { ScriptedLog } from '../../../test/support/scripted-log.ts'
import { ActorKeys, actorKey } from './actor-key.ts'
import { decodeRecord } from './decode.ts'
import type { DeadLine, EventRow } from './event-row.ts'

const TOO_LONG = Array.from({ length: 1200 }, () => randomUUID()).join('')

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})

afterEach(async () => {
  expect((await tableState(database.pool)).rollupDifferences).toEqual([])
  await database.pool.query(
    `truncate public.platform_events, events_internal.dead_letters, events_internal.event_rollup_hourly,
              events_internal.session_users, events_internal.quarantined_events`,
  )
})

afterAll(async () => {
  await database.drop()
})

/** Sends lines through a consumer, and returns the ids of the letters that come of them, in order. */
async function die(lines: (LoggedEvent | string)[], receivedAt = new Date()): Promise<number[]> {
  const log = new ScriptedLog(1, randomUUID())
  await log.append([sampleRecord(lines, { received_at: receivedAt.toISOString(), source_id: 5 })])
  const consumer = testConsumer(log, database.connectionString)
  await consumer.start()
  await untilConsumed(log, database.pool)
  await consumer.end()
  const { rows } = await database.pool.query<{ id: string }>(
    'select dead_letter_id as id from events_internal.dead_letters where resolved_at is null order by 1',
  )
  return rows.map(({ id }) => Number(id))
}

async function call(statement: string, values: unknown[]): Promise<{ outcome: string; message: string | null }> {
  const { rows } = await database.pool.query(`select * from events_internal.${statement}`, values)
  return rows[0]
}

const replay = (id: number, by = 'ana') => call('replay_dead_letter($1, $2)', [id, by])
const mend = (id: number, line: string) => call('mend_dead_letter($1, $2, $3)', [id, line, 'ben'])
const lineOf = (event: LoggedEvent) => logLine(event).trimEnd()
const letter = async (id: number) =>
  (await database.pool.query('select * from events_internal.dead_letters where dead_letter_id = $1', [id])).rows[0]

describe('a dead letter', () => {
  it('is mended and replayed twice, and is one row, counted once, its session mapped', async () => {
    const user_id = randomUUID()
    const receivedAt = new Date(Date.now() - 30_000)
    const bad = sampleEvent({ session_id: TOO_LONG, user_id, stream: randomUUID(), seq: 4 })
    const good = sampleEvents(3)
    const [id] = await die([...good, bad], receivedAt)
    expect(await replay(id!)).toMatchObject({ outcome: 'refused', message: expect.stringMatching(/^54000 /) })
    expect(await letter(id!)).toMatchObject({ resolved_at: null, mended: null })

    const mended = { ...bad, session_id: 'short', created_at: bad.created_at.replace('Z', '456Z') }
    expect(await mend(id!, lineOf(mended))).toEqual({ outcome: 'mended', message: null })
    expect(await replay(id!)).toEqual({ outcome: 'replayed', message: null })
    expect(await replay(id!, 'cleo')).toMatchObject({
      outcome: 'already_resolved',
      message: expect.stringContaining('replayed'),
    })

    expect((await tableState(database.pool)).ids).toEqual(idsOf([...good, bad]))
    const { rows } = await database.pool.query(
      `select *, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as exact
       from public.platform_events where id = $1`,
      [bad.id],
    )
    expect(rows).toMatchObject([
      {
        event_type: bad.event_type,
        user_id,
        session_id: 'short',
        properties: bad.properties,
        exact: mended.created_at,
        received_at: receivedAt,
        source_id: 5,
        stream: bad.stream,
        seq: 4,
        raw_created_at: null,
        actor_key: String(actorKey(user_id, null)),
      },
    ])
    const { rows: sessions } = await database.pool.query('select * from events_internal.session_users')
    expect(sessions).toMatchObject([
      {
        session_id: 'short',
        user_id,
        session_key: String(actorKey(null, 'short')),
        user_key: String(actorKey(user_id, null)),
        first_id: bad.id,
      },
    ])
    const kept = await letter(id!)
    expect(kept).toMatchObject({
      resolution: 'replayed',
      resolved_by: 'ana',
      mended_by: 'ben',
      resolved_at: expect.any(Date),
    })
    expect(JSON.parse(kept.raw.toString())).toMatchObject({ session_id: TOO_LONG })
  })

  it('is stored once when many replay it at the same moment', async () => {
    const bad = sampleEvent({ session_id: TOO_LONG })
    const [id] = await die([bad])
    await mend(id!, lineOf({ ...bad, session_id: 's' }))
    const outcomes = (await Promise.all(Array.from({ length: 8 }, () => replay(id!)))).map(({ outcome }) => outcome)
    expect(outcomes.sort()).toEqual([...Array(7).fill('already_resolved'), 'replayed'])
    expect((await tableState(database.pool)).ids).toEqual([bad.id])
  })

  it('is a duplicate where its event came again meanwhile, at the same time or at another', async () => {
    const [bad, other] = [sampleEvent({ session_id: TOO_LONG }), sampleEvent({ session_id: TOO_LONG })]
    const [first, second] = await die([bad, other])
    const again = { ...other, created_at: new Date(Date.parse(other.created_at) - 3_600_000).toISOString() }
    await die([
      { ...bad, session_id: 's' },
      { ...again, session_id: 's' },
    ])
    for (const [id, event] of [
      [first, bad],
      [second, other],
    ] as const) {
      await mend(id!, lineOf({ ...event, session_id: 's' }))
      expect(await replay(id!)).toEqual({ outcome: 'duplicate', message: null })
      expect(await letter(id!)).toMatchObject({ resolution: 'duplicate', resolved_by: 'ana' })
    }
    expect((await tableState(database.pool)).ids).toEqual(idsOf([bad, other]))
  })

  it('leaves the session with its earlier user', async () => {
    const [early, late] = [randomUUID(), randomUUID()]
    const bad = sampleEvent({ session_id: TOO_LONG, user_id: late })
    const first = sampleEvent({
      session_id: 's',
      user_id: early,
      created_at: new Date(Date.now() - 90_000).toISOString(),
    })
    const [id] = await die([first, bad])
    await mend(id!, lineOf({ ...bad, session_id: 's' }))
    await replay(id!)
    const { rows } = await database.pool.query('select user_id from events_internal.session_users')
    expect(rows).toEqual([{ user_id: early }])
  })

  it.each([
    { edge: 'just within the late window', by: -LIMITS.LATE_WINDOW_MS, outcome: 'replayed', message: null },
    { edge: 'behind the late window', by: -LIMITS.LATE_WINDOW_MS - 1, outcome: 'quarantined', message: 'too_old' },
    { edge: 'as far ahead as clocks may be', by: LIMITS.CLOCK_TOLERANCE_MS, outcome: 'replayed', message: null },
    { edge: 'in the future', by: LIMITS.CLOCK_TOLERANCE_MS + 1, outcome: 'quarantined', message: 'in_future' },
  ])('$edge is $outcome', async ({ by, outcome, message }) => {
    const receivedAt = new Date()
    const bad = sampleEvent({ session_id: TOO_LONG })
    const [id] = await die([bad], receivedAt)
    const created_at = new Date(receivedAt.getTime() + by).toISOString()
    await mend(id!, lineOf({ ...bad, session_id: 's', created_at }))
    expect(await replay(id!)).toEqual({ outcome, message })
    expect(await letter(id!)).toMatchObject({ resolution: outcome })
    expect(await tableState(database.pool)).toMatchObject({
      ids: outcome === 'replayed' ? [bad.id] : [],
      quarantined: outcome === 'replayed' ? 0 : 1,
    })
  })

  it('stays as it is where its day has no partition, or its record no source', async () => {
    const bad = sampleEvent({ session_id: TOO_LONG })
    const [id] = await die([bad])
    await database.pool.query(`update events_internal.dead_letters set received_at = now() - interval '400 days'`)
    await mend(
      id!,
      lineOf({ ...bad, session_id: 's', created_at: new Date(Date.now() - 400 * 86_400_000).toISOString() }),
    )
    expect(await replay(id!)).toMatchObject({ outcome: 'refused', message: expect.stringContaining('create_day') })
    await database.pool.query('update events_internal.dead_letters set source_id = null')
    expect(await replay(id!)).toMatchObject({ outcome: 'refused', message: expect.stringContaining('source_id') })
    expect((await letter(id!)).resolved_at).toBeNull()
  })

  it('can be given up, once, and then neither mended nor replayed', async () => {
    const [id] = await die(['garbage'])
    const giveUp = () => call('give_up_dead_letter($1, $2, $3)', [id, 'ana', 'a scanner'])
    expect((await giveUp()).outcome).toBe('given_up')
    expect((await giveUp()).outcome).toBe('already_resolved')
    expect((await mend(id!, lineOf(sampleEvent()))).outcome).toBe('already_resolved')
    expect((await replay(id!)).outcome).toBe('already_resolved')
    expect(await letter(id!)).toMatchObject({
      resolution: 'given_up',
      resolved_by: 'ana',
      note: 'a scanner',
      mended: null,
    })
    expect((await replay(999_999_999)).outcome).toBe('unknown')
    expect((await mend(999_999_999, lineOf(sampleEvent()))).outcome).toBe('unknown')
  })

  it('is mended only with what is an event', async () => {
    const [id] = await die(['garbage'])
    expect(await mend(id!, '{"id":')).toMatchObject({
      outcome: 'refused',
      message: expect.stringMatching(/^22P02 not JSON/),
    })
    expect(await mend(id!, '{"id":"7"}')).toEqual({ outcome: 'refused', message: '22023 id is not a UUID' })
    // The consumer reads this as the 2nd of March; the collector, and an operator, do not write it.
    const noDay = lineOf(sampleEvent({ created_at: '2026-02-30T09:30:00Z' }))
    expect(await mend(id!, noDay)).toMatchObject({ outcome: 'refused', message: expect.stringMatching(/^22008 /) })
    expect((await letter(id!)).mended).toBeNull()
  })
})

describe('a line, read by SQL for a replay and by the consumer', () => {
  const id = '0193a5b2-7c00-7abc-8def-0123456789ab'
  const created_at = '2026-11-24T09:30:00.123456Z'
  const base = { id, event_type: 'A', created_at }

  it.each<[string, string | object]>([
    [
      'as the collector writes it',
      {
        ...base,
        user_id: id,
        session_id: 's',
        raw_created_at: created_at,
        stream: id,
        seq: 0,
        properties: { a: [1, null] },
      },
    ],
    ['without properties', base],
    ['with nulls', { ...base, user_id: null, session_id: null, raw_created_at: null, stream: null, seq: null }],
    ['with an id in capitals', { ...base, id: id.toUpperCase() }],
    ['with a second of 60', { ...base, created_at: '2026-11-24T09:30:60Z' }],
    ['in month 13', { ...base, created_at: '2026-13-01T09:30:00Z' }],
    ['in the year 0', { ...base, created_at: '0000-01-01T00:00:00Z' }],
    ['in the year 1', { ...base, created_at: '0001-01-01T00:00:00Z' }],
    ['with an offset', { ...base, created_at: '2026-11-24T09:30:00+01:00' }],
    ['with seven decimals', { ...base, created_at: '2026-11-24T09:30:00.1234567Z' }],
    ['without a time', { id, event_type: 'A' }],
    ['with a time of null', { ...base, created_at: null }],
    ['with a number for a time', { ...base, created_at: 1 }],
    ['with a wrong raw_created_at', { ...base, raw_created_at: 'x' }],
    ['with an id in braces', { ...base, id: `{${id}}` }],
    ['with a user that is none', { ...base, user_id: 'ana' }],
    ['with a user that is a number', { ...base, user_id: 7 }],
    ['with a session that is a number', { ...base, session_id: 7 }],
    ['with an empty session', { ...base, session_id: '' }],
    ['with an empty name', { ...base, event_type: '' }],
    ['with a name that is a number', { ...base, event_type: 7 }],
    ['with a stream that is none', { ...base, stream: 's' }],
    ['with a seq of a half', { ...base, seq: 0.5 }],
    ['with a seq of 3.0', `{"id":"${id}","event_type":"A","created_at":"${created_at}","seq":3.0}`],
    ['with a seq below 0', { ...base, seq: -1 }],
    ['with the largest seq', { ...base, seq: 2_147_483_647 }],
    ['with a seq too large', { ...base, seq: 2_147_483_648 }],
    ['with a seq that is text', { ...base, seq: '1' }],
    ['with properties of null', { ...base, properties: null }],
    ['with a list for properties', { ...base, properties: [] }],
    ['that is a list', []],
    ['that is null', 'null'],
    ['that is text', '"x"'],
    ['that is garbage', 'garbage'],
  ])('%s: the same verdict', async (_, line) => {
    const bytes = Buffer.from(typeof line === 'string' ? line : JSON.stringify(line))
    const [rows, dead]: [EventRow[], DeadLine[]] = [[], []]
    decodeRecord(
      { ...sampleRecord([]), value: bytes, offset: 0 },
      { logId: 'l', topic: 't', partition: 0 },
      new ActorKeys(),
      rows,
      dead,
    )
    const read = database.pool.query(
      `select *, (extract(epoch from created_at) * 1000000)::text as created, (extract(epoch from raw_created_at) * 1000000)::text as raw_created
       from events_internal.logged_event($1)`,
      [bytes],
    )
    if (dead[0] !== undefined) {
      await expect(read).rejects.toMatchObject({ code: expect.stringMatching(/^22/) })
      return
    }
    const [row] = rows
    const found = (await read).rows[0]
    expect(found).toMatchObject({
      id: row!.id,
      event_type: row!.eventType,
      user_id: row!.userId,
      session_id: row!.sessionId,
      stream: row!.stream,
      seq: row!.seq,
      properties: JSON.parse(row!.propertiesIn.subarray(row!.propertiesStart, row!.propertiesEnd).toString()),
    })
    expect(Number(found.created)).toBe(row!.createdAt)
    expect(found.raw_created === null ? null : Number(found.raw_created)).toBe(row!.rawCreatedAt)
  })
})
