import { randomUUID } from 'node:crypto'
import type { LoggedEvent } from '@platform-events/contracts'
import type { RecordHeaders } from '@platform-events/event-log'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
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
import { actorKey } from './actor-key.ts'

let database: TestDatabase

beforeEach(async () => {
  database = await createTestDatabase()
})

afterEach(async () => {
  await database.drop()
})

/** Consumes a record of such events among others'. */
async function consume(events: LoggedEvent[], headers: Partial<RecordHeaders> = {}) {
  const log = new ScriptedLog()
  const others = sampleEvents(5)
  await log.append([sampleRecord(others), sampleRecord(events, headers), sampleRecord(others)])
  const consumer = testConsumer(log, database.connectionString)
  try {
    await consumer.start()
    await untilConsumed(log, database.pool, 5000)
    return { others, state: await tableState(database.pool) }
  } finally {
    await consumer.end()
  }
}

describe('what others than the collector write to the log holds up nobody', () => {
  it.each([
    ['in the year 0', '0000-06-01T00:00:00.000Z'],
    ['that a double rounds up to the year 10000', '9999-12-31T23:59:59.999999Z'],
  ])('a created_at %s', async (_, created_at) => {
    const { others, state } = await consume([sampleEvent({ created_at })])
    expect(state).toMatchObject({ ids: idsOf(others), dead: 1, quarantined: 0 })
  })

  it('a received_at at the end of all time', async () => {
    const created_at = '9999-12-31T12:00:00.000Z'
    const { others, state } = await consume([sampleEvent({ created_at, time_of_receipt: true })], {
      received_at: created_at,
    })
    expect(state).toMatchObject({ ids: idsOf(others), dead: 1 })
  })

  it('lone surrogates in names, which UTF-8 makes equal', async () => {
    const user_id = randomUUID()
    const events = ['\ud800', '\udfff'].map((lone) =>
      sampleEvent({ user_id, session_id: lone, event_type: `E${lone}` }),
    )
    const { others, state } = await consume(events)
    expect(state).toMatchObject({ ids: idsOf([...others, ...events]), dead: 0, rollupDifferences: [] })
    const { rows } = await database.pool.query(
      `select session_key from events_internal.session_users where session_id = U&'\\fffd'`,
    )
    expect(rows).toEqual([{ session_key: String(actorKey(null, '\ufffd')) }])
  })
})
