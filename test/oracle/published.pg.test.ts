import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { isoOf, toJson } from './definition.ts'
import { funnelOf } from './drawn.ts'
import type { OracleEvent } from './events.ts'
import { eventsOf, PUBLISHED } from './published.ts'
import { type Service, startService } from './service.ts'
import { forgetAll, prepareDays, storeEvents } from './store.ts'

/** A unit of time of the drawings. */
const MINUTE = 60_000_000
const origin = (Math.floor(Date.now() / 86_400_000) - 3) * 86_400_000_000 + 60 * MINUTE

describe('published cases', () => {
  let database: TestDatabase
  let service: Service
  beforeAll(async () => {
    database = await createTestDatabase()
    service = await startService(database.pool)
  })
  afterAll(async () => {
    await service?.close()
    await database?.drop()
  })

  // What each is, where it is published and where we differ: published.ts.
  it.each(PUBLISHED)('$source $what', async (published) => {
    const { steps, mode = 'ordered', window = 1000, exclude = [], reached } = published
    const events = eventsOf(published).map((event) => ({ ...event, at: origin + event.at * MINUTE }))
    const range = { from: origin, to: origin + 1000 * MINUTE }
    const funnel = funnelOf(steps, { mode, window: window * MINUTE, exclude, ...range })
    await forgetAll(database.pool)
    await prepareDays(database.pool, events)
    await storeEvents(database.pool, [...events, ...ofNobody(funnel)])

    expect(await bySql(funnel)).toEqual(reached)
    expect(await byApi(funnel)).toEqual(reached)
    await service.buildSegments([isoOf(origin).slice(0, 10)])
    expect(await byApi(funnel)).toEqual(reached)
  })

  /** Types that were never seen are refused. */
  function ofNobody({ steps, exclude }: ReturnType<typeof funnelOf>): OracleEvent[] {
    const types = [...new Set([...steps, ...exclude].flatMap(({ eventTypes }) => eventTypes))]
    const nobody = { userId: null, sessionId: null, properties: {}, at: origin, sourceId: 0 }
    return types.map((eventType) => ({ ...nobody, eventType, id: crypto.randomUUID() }))
  }

  async function bySql(funnel: ReturnType<typeof funnelOf>): Promise<number[]> {
    const { steps, from, to, window, mode, exclude = [] } = toJson(funnel)
    const values = [JSON.stringify(steps), from, to, window, mode, JSON.stringify(exclude)]
    const { rows } = await database.pool.query(
      `select actors::int from public.conversion_funnel($1, $2, $3, $4, $5, '"actor"', $6) order by step`,
      values,
    )
    return rows.map(({ actors }) => actors)
  }

  async function byApi(funnel: ReturnType<typeof funnelOf>): Promise<number[]> {
    return (await service.post('funnel', toJson(funnel))).steps.map(({ actors }: { actors: number }) => actors)
  }
})
