import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { addDays } from '../../services/retention/src/day.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { today } from '../support/retention.ts'
import { readBothWays } from '../support/segment-reader.ts'
import { buildSegments } from '../support/segments.ts'

const [before, yesterday] = [addDays(today, -2), addDays(today, -1)]
let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())

const INSERT = `insert into public.platform_events (event_type, user_id, session_id, properties, created_at)
  values ('A', $1, 's', '{"p": "text"}', $2::date + time '10:00')`

// What 0042 says of keys in actors, statement by statement.
it('a guest’s event that was stored while the guest was forgotten is nobody else’s in a segment, whoever has the session next', async () => {
  const { pool } = database
  await pool.query(INSERT, [null, before])
  await buildSegments(pool, [before])

  const [holder, forgetting] = [await pool.connect(), await pool.connect()]
  const waiting = async () => {
    const { rows } =
      await pool.query(`select from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' and not granted
      and database = (select oid from pg_database where datname = current_database())`)
    if (rows.length === 0) throw new Error('the builder does not wait')
  }
  try {
    // Nobody's transaction, so that the builder passes its fence, and then waits for its snapshot.
    await holder.query(`select pg_advisory_lock_shared(hashtext('segment mapping'), 0)`)
    let built = false
    const building = buildSegments(pool, [yesterday]).then(() => {
      built = true
    })
    await vi.waitFor(waiting, 5000)
    await forgetting.query('begin')
    await forgetting.query(`select * from public.forget_actor('session:s')`)
    // It did not see this one, and takes the session's key from actors.
    await pool.query(INSERT, [null, yesterday])
    await holder.query(`select pg_advisory_unlock_shared(hashtext('segment mapping'), 0)`)
    await vi.waitFor(async () => built || (await waiting()), { timeout: 5000, interval: 20 })
    await forgetting.query('commit')
    await building
  } finally {
    holder.release(true)
    forgetting.release(true)
  }
  await pool.query(INSERT, [randomUUID(), today])
  const { bySegments, raw } = await readBothWays(pool, before, yesterday, 'p')
  expect(bySegments).toEqual(raw)
})

it('a segment that was read before somebody was forgotten is not put in place after it', async () => {
  const { pool } = database
  const user = randomUUID()
  await pool.query(INSERT, [user, before])
  await buildSegments(pool, [before])
  const builder = await pool.connect()
  try {
    // As a builder does it: its snapshot, and at the end its UPDATE.
    await builder.query('begin isolation level repeatable read; select from public.platform_events')
    await pool.query('select * from public.forget_actor($1)', [`user:${user}`])
    await expect(
      builder.query('update events_internal.event_segments set version = gen_random_uuid() where day = $1', [before]),
    ).rejects.toMatchObject({ code: '40001' })
  } finally {
    builder.release(true)
  }
  const { rows } = await pool.query(
    `select version, body, (select count(*)::int from events_internal.event_segment_columns) as columns from events_internal.event_segments`,
  )
  expect(rows).toEqual([{ version: null, body: null, columns: 0 }])
})
