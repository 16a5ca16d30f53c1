import { createMetrics } from '@platform-events/runtime'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { retentionFixture } from '../../../test/support/retention.ts'

const { retention, query, database } = retentionFixture({ beforeEach, afterEach })

const STREAM = '0190a000-0000-4000-8000-000000000001'
const addNumbers = (...numbers: number[]) =>
  query(
    `insert into public.platform_events (event_type, stream, seq)
     select 'A', $1, n from unnest($2::int[]) n`,
    [STREAM, numbers],
  )

it('counts what is missing in each run, and between the runs', async () => {
  const metrics = createMetrics()
  const gauge = async () =>
    (await metrics.getMetricsAsJSON()).find(({ name }) => name === 'retention_missing_events')?.values[0]?.value
  const one = retention({ metrics, countEveryMs: 20 })
  await addNumbers(0, 1, 4)
  expect((await one.runNow()).problems).toEqual([])
  expect(await gauge()).toBe(2)
  await one.start()
  try {
    await addNumbers(7)
    await expect.poll(gauge, { timeout: 20_000 }).toBe(4)
    await addNumbers(2, 3, 5, 6)
    await expect.poll(gauge, { timeout: 20_000 }).toBe(0)
  } finally {
    await one.stop()
  }
})

it('reports that it could not count, and does the rest', async () => {
  const holder = await database().pool.connect()
  await holder.query(`select pg_advisory_lock(hashtext('events_internal.count_missing'))`)
  const report = await retention().runNow()
  await holder.query(`select pg_advisory_unlock_all()`)
  holder.release()
  expect(report.problems).toMatchObject([{ step: 'missing' }])
  expect(report.closed).toHaveLength(7)
})
