import { createLogger, createMetrics } from '@platform-events/runtime'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.ts'
import { readBothWays } from '../../../../test/support/segment-reader.ts'
import { buildSegments } from '../../../../test/support/segments.ts'
import { verifySegment } from '../../../retention/src/verify-segment.ts'
import { damagedSegments } from './damaged-segments.ts'
import { segmentCache } from './segment-cache.ts'

const day = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await database.pool.query(
    `insert into public.platform_events (event_type, session_id, created_at, properties)
     select 'A', 's' || n, $1::date + n * interval '1 second', '{"p": 1}' from generate_series(1, 20) n`,
    [day],
  )
  await buildSegments(database.pool, [day])
})
afterAll(() => database.drop())

it.each([
  ['a bit is wrong', `event_segments set body = set_bit(body, 500, 1 - get_bit(body, 500))`],
  ['another version wrote it', `event_segments set body = set_byte(body, 3, 250)`],
  [
    'a column is wrong',
    `event_segment_columns set body = set_bit(body, 400, 1 - get_bit(body, 400)) where property = 'p'`,
  ],
])('a day is read raw, and told of once, where %s', async (_what, change) => {
  const metrics = createMetrics()
  const logger = createLogger({ name: 'query', level: 'silent' })
  const warn = vi.spyOn(logger, 'warn')
  const cache = segmentCache(2 ** 20, damagedSegments({ logger, registry: metrics }))
  const damaged = async () =>
    Number((await metrics.getSingleMetric('query_damaged_segments_total')!.get()).values[0]!.value)
  const read = () => readBothWays(database.pool, day, day, 'p', cache)

  await database.pool.query(`update events_internal.${change}`)
  for (let n = 0; n < 2; n += 1) {
    const { bySegments, raw, segments } = await read()
    expect(segments).toEqual([day])
    expect(bySegments).toEqual(raw)
  }
  expect(await damaged()).toBe(1)
  expect(warn.mock.calls).toMatchObject([[{ day }, expect.stringContaining('event_segments')]])
  expect(await verifySegment(database.pool, day)).toMatchObject({ verdict: 'different' })

  // Which is what the line says.
  await database.pool.query('delete from events_internal.event_segments where day = $1', [day])
  await buildSegments(database.pool, [day])
  expect((await read()).segments).toEqual([day])
  expect(await damaged()).toBe(1)
})
