import { afterEach, beforeEach, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  sampleEvent,
  sampleEvents,
  sampleRecords,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'
import { ScriptedLog } from '../../../test/support/scripted-log.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())

it('marks the rows that came too late for a segment, those of a duplicate load not, and of many the whole day', async () => {
  const at = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
  const day = (days: number) => at(days).slice(0, 10)
  await database.pool.query('insert into events_internal.event_segments (day) select unnest($1::date[])', [
    [day(1), day(2)],
  ])
  const log = new ScriptedLog()
  const late = [sampleEvent({ created_at: at(1).replace('Z', '789Z') }), sampleEvent({ created_at: at(1) })]
  await log.append(sampleRecords([...late, ...sampleEvents(3), ...sampleEvents(3, { created_at: at(3) })]))
  const consumer = testConsumer(log, database.connectionString)
  await consumer.start()
  await untilConsumed(log, database.pool)
  const marks = `
    select c.day::text, e.id from events_internal.segment_changes c
    left join public.platform_events e on e.created_at = c.created_at and e.id = c.event_id order by e.id`
  const expected = late.map(({ id }) => ({ day: day(1), id })).toSorted((a, b) => (a.id < b.id ? -1 : 1))
  expect((await database.pool.query(marks)).rows).toEqual(expected)

  await log.append(sampleRecords(late))
  await untilConsumed(log, database.pool)
  expect((await database.pool.query(marks)).rows).toEqual(expected)

  await log.append(sampleRecords(sampleEvents(2001, { created_at: at(2) }), 2001))
  await untilConsumed(log, database.pool)
  const { rows } = await database.pool.query(
    `select count(*) filter (where event_id is null)::int as whole, count(event_id)::int as single
     from events_internal.segment_changes where day = $1`,
    [day(2)],
  )
  expect(rows).toEqual([{ whole: 1, single: 0 }])
  await consumer.end()
})
