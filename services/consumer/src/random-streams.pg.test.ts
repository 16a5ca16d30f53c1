import { randomUUID } from 'node:crypto'
import type { LoggedEvent } from '@platform-events/contracts'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ledgerFaults, ledgerSums } from '../../../test/support/ledger.ts'
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts'
import {
  sampleEvent,
  sampleRecord,
  tableState,
  testConsumer,
  untilConsumed,
} from '../../../test/support/sample-events.ts'
import { ScriptedLog } from '../../../test/support/scripted-log.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})

afterAll(async () => {
  await database.drop()
})

const USERS = [randomUUID(), randomUUID()]

/** One line of the stream. `of` points back at an earlier good event. */
type Line =
  | { kind: 'good' | 'byId'; session: number; user: number; secondsAgo: number }
  | { kind: 'again' | 'againLater'; of: number }
  | { kind: 'garbage' | 'refused' | 'old' }

const good = fc.record({
  kind: fc.constantFrom('good' as const, 'good' as const, 'byId' as const),
  session: fc.nat(4),
  user: fc.nat(2),
  secondsAgo: fc.integer({ min: 1, max: 20_000 }),
})
const again = fc.record({ kind: fc.constantFrom('again' as const, 'againLater' as const), of: fc.nat() })
const bad = fc.record({ kind: fc.constantFrom('garbage' as const, 'refused' as const, 'old' as const) })
const line: fc.Arbitrary<Line> = fc.oneof(
  { weight: 8, arbitrary: good },
  { weight: 3, arbitrary: again },
  { weight: 1, arbitrary: bad },
)

const stream = fc.record({
  records: fc.array(fc.array(line, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 25 }),
  partitions: fc.integer({ min: 1, max: 3 }),
  maxEvents: fc.integer({ min: 1, max: 60 }),
  consumers: fc.integer({ min: 1, max: 2 }),
  kills: fc.nat(3),
})

describe('a random stream, with everything sent twice, refused and killed', () => {
  it('is stored as an oracle says', { timeout: 120_000 }, async () => {
    let run = 0
    const property = fc.asyncProperty(stream, async ({ records, partitions, maxEvents, consumers, kills }) => {
      await empty()
      const { lines, expected } = oracle(records)
      // What is deduplicated by id comes through one topic partition, as its key has it: two would not see each other's rows.
      const log = new ScriptedLog(consumers > 1 ? 1 : partitions, `run ${run++}`)
      const collector_id = randomUUID()
      let accepted = 0
      const running = Array.from({ length: consumers }, () =>
        testConsumer(log, database.connectionString, { maxEvents, lingerMs: 1 }),
      )
      try {
        await Promise.all(running.map((consumer) => consumer.start()))
        for (const [at, record] of lines.entries()) {
          accepted += record.length
          await log.append([sampleRecord(record, { collector_id, accepted })])
          if (at % 8 === 0 && at / 8 < kills) await killConsumers()
        }
        await untilConsumed(log, database.pool)
      } finally {
        await Promise.all(running.map((consumer) => consumer.end()))
      }
      const { ids, dead, quarantined, rollupDifferences } = await tableState(database.pool)
      expect({ ids, dead, quarantined, rollupDifferences }).toEqual({ ...expected, rollupDifferences: [] })
      const numbered = lines.reduce((sum, { length }) => sum + length, 0)
      expect(await ledgerFaults(database.pool)).toEqual([])
      expect(await ledgerSums(database.pool)).toMatchObject({ accepted: numbered, in_flight: 0, resent: 0 })
      expect(await sessionOwners()).toEqual(await earliestOwners())
    })
    await fc.assert(property, { numRuns: 25, endOnFailure: true })
  })
})

/** The lines of each record, and what must come of them in whatever order they are stored. */
function oracle(records: Line[][]) {
  const events: LoggedEvent[] = []
  const ids = new Set<string>()
  let dead = 0
  let quarantined = 0
  const lines = records.map((record) =>
    record.map((item): LoggedEvent | string => {
      switch (item.kind) {
        case 'good':
        case 'byId': {
          const event = sampleEvent({
            session_id: `session ${item.session}`,
            created_at: new Date(Date.now() - item.secondsAgo * 1000).toISOString(),
            ...(USERS[item.user] === undefined ? {} : { user_id: USERS[item.user]! }),
            ...(item.kind === 'byId' ? { time_of_receipt: true as const } : {}),
          })
          events.push(event)
          ids.add(event.id)
          return event
        }
        case 'again':
        case 'againLater': {
          const earlier = events[item.of % Math.max(1, events.length)] ?? sampleEvent()
          ids.add(earlier.id)
          // Only what is deduplicated by id may come again under another time.
          if (item.kind === 'again' || earlier.time_of_receipt === undefined) return earlier
          return { ...earlier, created_at: new Date(Date.parse(earlier.created_at) + 500).toISOString() }
        }
        case 'garbage':
          dead++
          return 'no event'
        case 'refused': {
          dead++
          const { properties: _, ...head } = sampleEvent()
          return `${JSON.stringify(head).slice(0, -1)},"properties":{"n":1e140000}}`
        }
        default:
          quarantined++
          return sampleEvent({ created_at: new Date(Date.now() - 9 * 86_400_000).toISOString() })
      }
    }),
  )
  return { lines, expected: { ids: [...ids].sort(), dead, quarantined } }
}

async function empty(): Promise<void> {
  await database.pool.query(`
    truncate public.platform_events, events_internal.session_users, events_internal.event_rollup_hourly,
      events_internal.consumer_offsets, events_internal.delivery_counts, events_internal.dead_letters, events_internal.quarantined_events`)
}

async function killConsumers(): Promise<void> {
  await database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name = 'platform-events consumer'`,
  )
}

async function sessionOwners(): Promise<unknown[]> {
  const { rows } = await database.pool.query(
    'select session_id, user_id, first_created_at, first_id from events_internal.session_users order by session_id',
  )
  return rows
}

/** From the raw rows, by sorting them. */
async function earliestOwners(): Promise<unknown[]> {
  const { rows } = await database.pool.query(
    `select distinct on (session_id) session_id, user_id, created_at as first_created_at, id as first_id
     from public.platform_events where user_id is not null and session_id is not null
     order by session_id, created_at, id`,
  )
  return rows
}
