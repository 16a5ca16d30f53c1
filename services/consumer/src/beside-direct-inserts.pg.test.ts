import { randomUUID } from 'node:crypto'
import type { LoggedEvent } from '@platform-events/contracts'
import { afterEach, beforeEach, expect, it } from 'vitest'
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

beforeEach(async () => {
  database = await createTestDatabase()
})

afterEach(async () => {
  await database.drop()
})

const SESSIONS = Array.from({ length: 12 }, (_, at) => `session ${at}`)
const USERS = Array.from({ length: 6 }, () => randomUUID())

it('agrees with direct inserts of the same sessions, while users are deleted', { timeout: 60_000 }, async () => {
  for (const id of USERS) await database.pool.query('insert into auth.users (id) values ($1)', [id])
  const log = new ScriptedLog(2)
  const consumers = [testConsumer(log, database.connectionString), testConsumer(log, database.connectionString)]
  await Promise.all(consumers.map((consumer) => consumer.start()))
  const refused: unknown[] = []
  try {
    const direct = Array.from({ length: 3 }, async () => {
      for (let batch = 0; batch < 60; batch++)
        await insert(ofOneSession(shuffled(4))).catch((error) => refused.push(error))
    })
    const appends = (async () => {
      for (let batch = 0; batch < 120; batch++) await log.append([sampleRecord(shuffled(6))])
    })()
    const deletions = (async () => {
      for (const id of USERS.slice(0, 3)) {
        await new Promise((resolve) => setTimeout(resolve, 50))
        await database.pool.query('delete from auth.users where id = $1', [id])
      }
    })()
    await Promise.all([...direct, appends, deletions])
    await untilConsumed(log, database.pool)
  } finally {
    await Promise.all(consumers.map((consumer) => consumer.end()))
  }
  expect(refused).toEqual([])
  await database.pool.query('select events_internal.anonymise_late_events()')
  const state = await tableState(database.pool)
  expect(state.ids).toHaveLength(3 * 60 * 4 + 120 * 6)
  expect(state).toMatchObject({ dead: 0, rollupDifferences: [] })
  expect(await query(`select 1 from public.platform_events where user_id = any($1)`, [USERS.slice(0, 3)])).toEqual([])
  expect(
    await query(
      `select id from public.platform_events where actor_key is distinct from events_internal.actor_key(user_id, session_id)`,
    ),
  ).toEqual([])
  expect(
    await query('select session_id, user_id, first_created_at, first_id from events_internal.session_users order by 1'),
  ).toEqual(
    await query(
      `select distinct on (session_id) session_id, user_id, created_at as first_created_at, id as first_id
       from public.platform_events where user_id is not null and session_id is not null
       order by session_id, created_at, id`,
    ),
  )
})

/** As a browser sends them. A batch over several sessions may meet another one, and be asked to try again (40P01). */
function ofOneSession(events: LoggedEvent[]): LoggedEvent[] {
  return events.map((event) => ({ ...event, session_id: events[0]!.session_id! }))
}

/** Events of any sessions and users, at any time of the last hours, in any order. */
function shuffled(count: number): LoggedEvent[] {
  return Array.from({ length: count }, () =>
    sampleEvent({
      session_id: SESSIONS[Math.floor(Math.random() * SESSIONS.length)]!,
      user_id: USERS[Math.floor(Math.random() * USERS.length)]!,
      created_at: new Date(Date.now() - Math.floor(Math.random() * 2 * 3_600_000)).toISOString(),
    }),
  )
}

async function insert(events: LoggedEvent[]): Promise<void> {
  await database.pool.query(
    `insert into public.platform_events (id, event_type, user_id, session_id, properties, created_at)
     select * from json_to_recordset($1) as e (id uuid, event_type text, user_id uuid, session_id text, properties jsonb, created_at timestamptz)`,
    [JSON.stringify(events)],
  )
}

async function query(sql: string, values: unknown[] = []): Promise<unknown[]> {
  return (await database.pool.query(sql, values)).rows
}
