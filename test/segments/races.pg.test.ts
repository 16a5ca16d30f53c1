import type { Pool } from '@platform-events/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { segmentCache } from '../../services/query/src/slices/segment-cache.ts'
import { addDays } from '../../services/retention/src/day.ts'
import { buildSegments } from '../../services/retention/src/segment-upkeep.ts'
import { openSession } from '../../services/retention/src/session.ts'
import { randomOf } from '../chaos/random.ts'
import { FAR_APART, startMigrated } from '../support/grounds.ts'
import { today } from '../support/retention.ts'
import { readBothWays } from '../support/segment-reader.ts'
import { Turns } from './turns.ts'
import { USERS, writeByChance } from './writers.ts'

const days = [addDays(today, -2), addDays(today, -1)]
const WRITERS = ['w1', 'w2', 'w3']
/** More by hand: SEGMENT_RACES=40 SEGMENT_SEED=7 npx vitest run --project postgres test/segments */
const ROUNDS = Number(process.env['SEGMENT_RACES'] ?? 1)
const SEED = Number(process.env['SEGMENT_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const TRANSACTIONS = 8

describe.each(FAR_APART)('segments beside all who write, on $name', (ground) => {
  const cache = segmentCache(2 ** 24)
  let database: { pool: Pool; superuser: Pool; stop(): Promise<void> }
  beforeAll(async () => {
    database = await startMigrated(ground)
    await database.superuser.query('insert into auth.users (id) select unnest($1::uuid[])', [USERS])
  })
  afterAll(() => database.stop())

  it('never forget a row, whoever writes it and whenever', async () => {
    const seen = { reads: 0, withSegments: 0, withLateRows: 0 }
    for (let round = 0; round < ROUNDS; round += 1) {
      const seed = SEED + round
      await database.superuser.query(`
        truncate public.platform_events, events_internal.session_users, events_internal.actors, events_internal.segment_changes,
          events_internal.event_segments, events_internal.event_segment_columns, events_internal.closed_days,
          events_internal.deleted_users, events_internal.forgotten_sessions`)
      await database.superuser.query('insert into events_internal.closed_days (day) select unnest($1::date[])', [days])
      await race(seed, seen)
    }
    expect(seen.withSegments).toBeGreaterThan(seen.reads / 20)
    expect(seen.withLateRows).toBeGreaterThan(0)
  })

  async function race(
    seed: number,
    seen: { reads: number; withSegments: number; withLateRows: number },
  ): Promise<void> {
    const random = randomOf(seed)
    const turns = new Turns(random, 'builder')
    const world = { random, days, ids: ['00000000-0000-4000-8000-000000000000'] }
    const releases: (() => void)[] = []
    async function check(): Promise<void> {
      const { bySegments, raw, segments, lateRows } = await readBothWays(database.pool, days[0]!, days[1]!, 'p', cache)
      seen.reads += 1
      if (segments.length > 0) seen.withSegments += 1
      if (lateRows > 0) seen.withLateRows += 1
      if (JSON.stringify(bySegments) !== JSON.stringify(raw))
        expect(bySegments, `seed ${seed}, after:\n${turns.history.slice(-60).join('\n')}`).toEqual(raw)
    }
    let writing = WRITERS.length
    for (const name of WRITERS) {
      const { client, release } = await turns.pool(name, database.superuser)
      releases.push(release)
      turns.start(name, async () => {
        await client.query('set deadlock_timeout = 50; set lock_timeout = 2000')
        await writeByChance(client, world, TRANSACTIONS)
        writing -= 1
      })
    }
    const builder = await turns.pool('builder', database.pool)
    releases.push(builder.release)
    turns.start('builder', async () => {
      const signal = new AbortController().signal
      while (writing > 0) {
        const session = await openSession(builder.pool)
        if (session === null) throw new Error('the lock of retention is taken')
        const { problems } = await buildSegments(session, { signal })
        await session.close()
        for (const { message } of problems)
          if (!/lock timeout|serialize|new actors/.test(message)) throw new Error(message)
      }
    })
    try {
      for (let ran = await turns.step(); ran !== undefined; ran = await turns.step())
        // What a reader can see changes when somebody commits, and whenever the builder does something outside of a transaction.
        if (/^(\w+: commit|builder: (insert|with))/.test(ran)) await check()
      await check()
    } finally {
      for (const release of releases) release()
    }
  }
})
