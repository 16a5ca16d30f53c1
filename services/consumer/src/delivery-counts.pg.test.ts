import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ledgerFaults, ledgerSums } from '../../../test/support/ledger.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  sampleEvent,
  sampleEvents,
  sampleRecord,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'
import { ScriptedLog } from '../../../test/support/scripted-log.ts'

const NOTHING = {
  received: 0,
  rejected: 0,
  accepted: 0,
  stored: 0,
  duplicate: 0,
  dead_lettered: 0,
  quarantined: 0,
  in_flight: 0,
  resent: 0,
}

let database: TestDatabase
const open: { end(): Promise<void> }[] = []

beforeEach(async () => {
  database = await createTestDatabase()
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((consumer) => consumer.end()))
  expect(await ledgerFaults(database.pool)).toEqual([])
  await database.drop()
})

async function consume(log: ScriptedLog): Promise<{ end(): Promise<void> }> {
  const consumer = testConsumer(log, database.connectionString)
  open.push(consumer)
  await consumer.start()
  await untilConsumed(log, database.pool)
  return consumer
}

const REFUSED = (): string => {
  const { properties: _, ...head } = sampleEvent()
  return `${JSON.stringify(head).slice(0, -1)},"properties":{"n":1e140000}}`
}
const old = () => sampleEvent({ created_at: new Date(Date.now() - 9 * 86_400_000).toISOString() })

describe('the ledger', () => {
  it('says of every accepted event what became of it', async () => {
    const log = new ScriptedLog()
    const collector_id = randomUUID()
    const events = sampleEvents(3)
    const late = old()
    await log.append([
      sampleRecord(events, { collector_id, accepted: 3 }),
      sampleRecord([...events.slice(1), 'no event', REFUSED(), late], { collector_id, accepted: 8 }),
      // Quarantined before: the same event again.
      sampleRecord([late], { collector_id, accepted: 9 }),
    ])
    await consume(log)
    const settled = { stored: 3, duplicate: 3, dead_lettered: 2, quarantined: 1 }
    expect(await ledgerSums(database.pool)).toEqual({ ...NOTHING, received: 9, accepted: 9, ...settled })
  })

  it('shows as in flight what a collector accepted and the consumer has not seen', async () => {
    const log = new ScriptedLog()
    const collector_id = randomUUID()
    // The record before this one lies in another topic partition, or nowhere any more.
    await log.append([sampleRecord(sampleEvents(2), { collector_id, accepted: 7, accepted_before: 5 })])
    await consume(log)
    expect(await ledgerSums(database.pool)).toMatchObject({ accepted: 5, stored: 2, in_flight: 3 })
    await log.append([sampleRecord(sampleEvents(3), { collector_id, accepted: 10, accepted_before: 7 })])
    await untilConsumed(log, database.pool)
    expect(await ledgerSums(database.pool)).toMatchObject({ accepted: 7, stored: 5, in_flight: 2 })
  })

  it('expects nothing of a group of which only a part became durable before its collector was killed', async () => {
    const log = new ScriptedLog()
    const collector_id = randomUUID()
    await log.append([
      sampleRecord(sampleEvents(5), { collector_id, accepted: 5, accepted_before: 0 }),
      sampleRecord(sampleEvents(3), { collector_id, accepted: 18, accepted_before: 5 }),
    ])
    await consume(log)
    expect(await ledgerSums(database.pool)).toMatchObject({ accepted: 8, stored: 8, in_flight: 0 })
    // Some more of it was durable: it comes later, from a topic partition that nobody read.
    await log.append([sampleRecord(sampleEvents(4), { collector_id, accepted: 22, accepted_before: 5 })])
    await untilConsumed(log, database.pool)
    expect(await ledgerSums(database.pool)).toMatchObject({ accepted: 12, stored: 12, in_flight: 0 })
  })

  it('counts a record that is in the log twice once, and a client that sends twice twice', async () => {
    const log = new ScriptedLog()
    const collector_id = randomUUID()
    const [first, second] = [sampleEvents(3), sampleEvents(2)]
    const records = [
      sampleRecord(first, { collector_id, accepted: 3 }),
      sampleRecord(second, { collector_id, accepted: 5 }),
    ]
    await log.append(records)
    await consume(log)
    await log.append([...records, sampleRecord(first, { collector_id, accepted: 8 })])
    await untilConsumed(log, database.pool)
    expect(await ledgerSums(database.pool)).toEqual({
      ...NOTHING,
      ...{ received: 8, accepted: 8, stored: 5, duplicate: 3, resent: 5 },
    })
  })

  it('counts the same within one load', async () => {
    const log = new ScriptedLog()
    const record = sampleRecord(sampleEvents(3), { collector_id: randomUUID(), accepted: 3 })
    await log.append([record, record, record])
    await consume(log)
    expect(await ledgerSums(database.pool)).toMatchObject({ accepted: 3, stored: 3, duplicate: 0, resent: 6 })
  })

  it('counts what is delivered again from the start of the log as there already, dead lines and quarantined ones too', async () => {
    const log = new ScriptedLog()
    const collector_id = randomUUID()
    await log.append([
      sampleRecord([sampleEvent(), 'no event', REFUSED(), old()], { collector_id, accepted: 4 }),
      sampleRecord([sampleEvent(), 'no event']),
    ])
    const first = await consume(log)
    await first.end()
    await database.pool.query('update events_internal.consumer_offsets set next_offset = 0')
    await consume(log)
    const settled = { stored: 2, duplicate: 2, dead_lettered: 3, quarantined: 1 }
    expect(await ledgerSums(database.pool)).toEqual({ ...NOTHING, received: 8, accepted: 8, ...settled, resent: 4 })
  })

  it('never settles more than was accepted, even should a number be given twice', async () => {
    const log = new ScriptedLog()
    const collector_id = randomUUID()
    await log.append([
      sampleRecord(sampleEvents(3), { collector_id, accepted: 3 }),
      sampleRecord([...sampleEvents(2), 'no event', old()], { collector_id, accepted: 3 }),
    ])
    await consume(log)
    expect(await ledgerSums(database.pool)).toMatchObject({ accepted: 7, stored: 5, dead_lettered: 1, quarantined: 1 })
  })

  it('counts as they come the events of records that no collector numbered', async () => {
    const log = new ScriptedLog()
    const collector_id = randomUUID()
    const events = sampleEvents(40)
    await log.append(events.map((event) => sampleRecord([event])))
    await log.append(events.map((event) => sampleRecord([event], { collector_id: 'nonsense', accepted: 1 })))
    const nobodys = { source_id: Number.NaN, collector_id, accepted: 1 }
    await log.append([
      sampleRecord(['no event'], { ...nobodys, received_at: 'no time' }),
      sampleRecord(['no event'], { ...nobodys, collector_id: 'nonsense' }),
    ])
    await consume(log)
    expect(await ledgerSums(database.pool)).toEqual({
      ...NOTHING,
      ...{ received: 82, accepted: 82, stored: 40, duplicate: 40, dead_lettered: 2 },
    })
  })

  it('keeps sources and days of receipt apart, and takes the highest number over the topic partitions', async () => {
    const log = new ScriptedLog(3)
    const collector_id = randomUUID()
    const yesterday = new Date(Date.now() - 86_400_000).toISOString()
    const records = Array.from({ length: 30 }, (_, index) =>
      sampleRecord([sampleEvent()], { collector_id, accepted: index + 1 }),
    )
    await log.append(records)
    await log.append([
      sampleRecord(sampleEvents(2), { collector_id, accepted: 2, source_id: 2 }),
      sampleRecord([sampleEvent({ created_at: yesterday })], { collector_id, accepted: 1, received_at: yesterday }),
    ])
    await consume(log)
    const { rows } = await database.pool.query(
      `select day::text, source_id, accepted::int, stored::int, in_flight::int from events_internal.delivery_ledger order by day, source_id`,
    )
    const [before, today] = [yesterday.slice(0, 10), new Date().toISOString().slice(0, 10)]
    expect(rows).toEqual([
      { day: before, source_id: 1, accepted: 1, stored: 1, in_flight: 0 },
      { day: today, source_id: 1, accepted: 30, stored: 30, in_flight: 0 },
      { day: today, source_id: 2, accepted: 2, stored: 2, in_flight: 0 },
    ])
  })

  it('follows a dead letter to what its replay makes of it', async () => {
    const log = new ScriptedLog()
    await log.append([sampleRecord([REFUSED(), REFUSED()], { collector_id: randomUUID(), accepted: 2 })])
    await consume(log)
    const { rows } = await database.pool.query<{ dead_letter_id: string }>(
      'select dead_letter_id from events_internal.dead_letters order by 1',
    )
    const [one, two] = rows.map(({ dead_letter_id }) => dead_letter_id)
    await database.pool.query(`select events_internal.mend_dead_letter($1, $2, 'ana')`, [
      one,
      JSON.stringify(sampleEvent()),
    ])
    await database.pool.query(`select events_internal.replay_dead_letter($1, 'ana')`, [one])
    await database.pool.query(`select events_internal.replay_dead_letter($1, 'ana')`, [one])
    await database.pool.query(`select events_internal.give_up_dead_letter($1, 'ana')`, [two])
    expect(await ledgerSums(database.pool)).toMatchObject({ accepted: 2, stored: 1, dead_lettered: 1, in_flight: 0 })
  })

  it('holds at every moment while it loads', async () => {
    const log = new ScriptedLog(3)
    const collector_id = randomUUID()
    const consumer = testConsumer(log, database.connectionString, { maxEvents: 50, lingerMs: 0 })
    open.push(consumer)
    await consumer.start()
    let wrong = 0
    let looks = 0
    let done = false
    const looking = (async () => {
      while (!done) {
        const sums = await ledgerSums(database.pool)
        const settled = sums.stored + sums.duplicate + sums.dead_lettered + sums.quarantined + sums.in_flight
        if (sums.in_flight < 0 || sums.accepted !== settled) wrong++
        looks++
      }
    })()
    for (let index = 0; index < 400; index++) {
      await log.append([sampleRecord(sampleEvents(5), { collector_id, accepted: (index + 1) * 5 })])
      if (index % 10 === 0) await new Promise(setImmediate)
    }
    await untilConsumed(log, database.pool)
    await vi.waitFor(() => expect(looks).toBeGreaterThan(5))
    done = true
    await looking
    expect(wrong).toBe(0)
    expect(await ledgerSums(database.pool)).toMatchObject({ accepted: 2000, stored: 2000, in_flight: 0 })
  })
})
