import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { brotliCompressSync } from 'node:zlib'
import { LIMITS } from '@platform-events/contracts'
import { LogUnavailableError } from '@platform-events/event-log'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { PUBLIC_KEY, type TestCollector, testCollector, testSource } from '../../../test/support/collector.ts'
import { watchedLog } from './log-health.ts'
import { RateLimit } from './rate-limit.ts'

const EVENT = { event_type: 'A' }
const batchOf = (events: number) => ({ batch: Array(events).fill(EVENT) })

let collector: TestCollector
afterEach(() => collector.app.close())

describe('the event log', () => {
  test('away: 503 with Retry-After, and nothing is accepted', async () => {
    collector = await testCollector()
    collector.log.fail()
    const { status, headers, body } = await collector.post(batchOf(3))
    expect({ status, retry: headers['retry-after'], body }).toMatchObject({
      status: 503,
      retry: '1',
      body: { code: 'log_unavailable', retryable: true },
    })
    expect(body).not.toHaveProperty('accepted')
    expect(await collector.counted('collector_events_total', { outcome: 'refused' })).toBe(3)
    expect(await collector.counted('collector_events_total', { outcome: 'accepted' })).toBe(0)
    collector.log.fail(null)
    expect(await collector.post(batchOf(3))).toMatchObject({ status: 202, body: { accepted: 3 } })
  })

  test('away matters not where there is nothing to append', async () => {
    collector = await testCollector()
    collector.log.fail()
    expect(await collector.post({ batch: [{}] })).toMatchObject({ status: 202, body: { accepted: 0 } })
  })

  test('failing in a way that nobody foresaw: 500, and the text stays in the log of the process', async () => {
    collector = await testCollector()
    collector.log.fail(new TypeError('secret.internal.host is undefined'))
    const { status, body } = await collector.post(EVENT)
    expect({ status, code: body.code }).toEqual({ status: 500, code: 'internal' })
    expect(JSON.stringify(body)).not.toContain('secret.internal.host')
  })

  test('slow: no answer before it has the events', async () => {
    collector = await testCollector()
    const release = collector.log.hold()
    let answered = false
    const answer = collector.post(EVENT).finally(() => {
      answered = true
    })
    await vi.waitFor(async () => expect(await collector.counted('collector_inflight_bytes')).toBeGreaterThan(0))
    expect(answered).toBe(false)
    release()
    expect(await answer).toMatchObject({ status: 202 })
  })

  test('slow: what waits for it is bounded, the rest gets a 503 with Retry-After', async () => {
    collector = await testCollector({ maxInFlightBytes: 100_000 })
    const release = collector.log.hold()
    const body = JSON.stringify({ event_type: 'A', properties: { text: 'x'.repeat(30_000) } })
    const waiting = [collector.post(body), collector.post(body), collector.post(body)]
    await vi.waitFor(async () => expect(await collector.counted('collector_inflight_bytes')).toBeGreaterThan(90_000))
    const { status, headers, body: answer } = await collector.post(body)
    expect({ status, code: answer.code, retry: headers['retry-after'] }).toEqual({
      status: 503,
      code: 'log_unavailable',
      retry: '1',
    })
    release()
    expect((await Promise.all(waiting)).map((one) => one.status)).toEqual([202, 202, 202])
    expect(await collector.counted('collector_inflight_bytes')).toBe(0)
    expect((await collector.post(body)).status).toBe(202)
  })
})

describe('compressed bodies', () => {
  test('cost the memory of a few decoders, however many come at once and however small they are', async () => {
    collector = await testCollector()
    const body = brotliCompressSync(Buffer.alloc(LIMITS.REQUEST_BYTES, ' '))
    expect(body.length).toBeLessThan(50)
    const before = process.memoryUsage().external
    let highest = 0
    const sampling = setInterval(() => {
      highest = Math.max(highest, process.memoryUsage().external - before)
    }, 1)
    const headers = { authorization: `Bearer ${PUBLIC_KEY}`, 'content-encoding': 'br' }
    const answers = await Promise.all(Array.from({ length: 400 }, () => collector.post(body, headers)))
    clearInterval(sampling)
    // Spaces are no JSON.
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400]))
    expect(highest).toBeLessThan(130e6)
    expect(await collector.counted('collector_inflight_bytes')).toBe(0)
  })
})

test('a body whose key must be asked for costs the memory of its text meanwhile, not that of its JSON', async () => {
  let know = (): void => undefined
  const known = new Promise<void>((resolve) => {
    know = resolve
  })
  let waiting = 0
  const find = async () => {
    waiting++
    await known
    return { source: testSource(), secret: false }
  }
  collector = await testCollector({ sources: { find } })
  setFlagsFromString('--expose_gc')
  const collectGarbage: () => void = runInNewContext('gc')
  const heap = (): number => {
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  const body = `{"event_type":"A","properties":{"a":[${Array(160_000).fill('{}').join()}]}}`
  const before = heap()
  const answers = Array.from({ length: 10 }, () => collector.post(body))
  await expect.poll(() => waiting).toBe(10)
  expect(heap() - before).toBeLessThan(40e6)
  know()
  for (const { status, body } of await Promise.all(answers))
    expect({ status, code: body.rejected[0]?.code }).toEqual({ status: 202, code: 'event_too_large' })
})

describe('the rate limit of a source', () => {
  test('answers 429 with Retry-After once the burst is spent, and takes events again later', async () => {
    let now = 1_000_000
    collector = await testCollector({ now: () => now, source: { eventsPerSecond: 10 } })
    expect((await collector.post(batchOf(50))).status).toBe(202)
    const { status, headers, body } = await collector.post(EVENT)
    expect({ status, code: body.code, retry: headers['retry-after'] }).toEqual({
      status: 429,
      code: 'rate_limited',
      retry: '1',
    })
    expect(collector.log.events()).toHaveLength(50)
    expect(await collector.counted('collector_events_total', { outcome: 'refused' })).toBe(1)
    now += 1000
    expect((await collector.post(EVENT)).status).toBe(202)
  })

  test('lets a batch through that is larger than the bucket, and makes the next one wait for it', () => {
    const limit = new RateLimit()
    const source = testSource({ eventsPerSecond: 10 })
    limit.take(source, 2500, 0)
    expect(() => limit.take(source, 1, 1000)).toThrow(
      expect.objectContaining({ code: 'rate_limited', retryAfterSeconds: 245 }),
    )
    limit.take(source, 1, 246_000)
  })

  test('is each source’s own, and a clock that runs back does not refill it', () => {
    const limit = new RateLimit()
    const [one, other] = [testSource({ eventsPerSecond: 1 }), testSource({ sourceId: 8, eventsPerSecond: 1 })]
    limit.take(one, 100, 10_000)
    limit.take(other, 1, 10_000)
    expect(() => limit.take(one, 1, 0)).toThrow()
    limit.take(testSource({ sourceId: 9 }), 1_000_000, 0)
    limit.take(testSource({ sourceId: 9 }), 1_000_000, 0)
  })
})

describe('/readyz', () => {
  test('says that the log failed, until it takes events again or it was long ago', async () => {
    let now = 0
    collector = await testCollector()
    const log = watchedLog(collector.log, () => now)
    expect(log.check()).toEqual({ ok: true })
    collector.log.fail(new LogUnavailableError('no leader'))
    await expect(log.append([])).rejects.toThrow('no leader')
    expect(log.check()).toEqual({ ok: false, detail: 'no leader' })
    now = 10_001
    expect(log.check()).toEqual({ ok: true })
    now = 0
    collector.log.fail(null)
    await log.append([])
    expect(log.check()).toEqual({ ok: true })
  })
})
