import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  eventsOf,
  type RecordingCollector,
  startRecordingCollector,
} from '../../../test/support/recording-collector.ts'
import { createTracker, type Tracker, type TrackerOptions, type TrackerProblem } from './index.ts'

const USER = '11111111-1111-4111-8111-111111111111'
const UUID = /^[0-9a-f-]{36}$/

let collector: RecordingCollector
let problems: TrackerProblem[]
const trackers: Tracker[] = []

beforeEach(async () => {
  collector = await startRecordingCollector()
  problems = []
})
afterEach(async () => {
  await Promise.all(trackers.splice(0).map((tracker) => tracker.closeAnalytics(0)))
  await collector.close()
})

function tracker(options: Partial<TrackerOptions> = {}): Tracker {
  // Of this test: a request that closing leaves behind may fail within the next.
  const told = problems
  const made = createTracker({
    url: collector.url,
    writeKey: 'pk_test',
    flushIntervalMs: 50,
    onError: (problem) => told.push(problem),
    ...options,
  })
  trackers.push(made)
  return made
}

describe('an event on the wire', () => {
  it('carries id, time, stream, seq, user and session, and its request the key in the body alone', async () => {
    const before = Date.now()
    await tracker().trackEvent('SearchStarted', { city: 'Medellín' }, USER, 'session-1')
    const [request] = collector.requests
    expect(request!.method).toBe('POST')
    expect(request!.headers['content-type']).toBe('text/plain;charset=UTF-8')
    expect(request!.headers.authorization).toBeUndefined()
    const body = JSON.parse(request!.body)
    expect(body).toMatchObject({ write_key: 'pk_test', sent_at: expect.stringMatching(/Z$/) })
    expect(body.batch).toEqual([
      {
        id: expect.stringMatching(UUID),
        event_type: 'SearchStarted',
        user_id: USER,
        session_id: 'session-1',
        created_at: expect.any(String),
        stream: expect.stringMatching(UUID),
        seq: 0,
        properties: { city: 'Medellín' },
      },
    ])
    expect(Date.parse(body.batch[0].created_at)).toBeGreaterThanOrEqual(before)
    expect(Date.parse(body.batch[0].created_at)).toBeLessThanOrEqual(Date.now())
  })

  it('ascends by id and counts seq over batches; a server without a session id has none', async () => {
    const { trackEvents, getAnalyticsSessionId } = tracker()
    const events = Array.from({ length: 700 }, () => ({ eventType: 'SearchStarted', properties: {} }) as const)
    await trackEvents(events)
    expect(collector.requests.length).toBeGreaterThan(1)
    const sent = collector.accepted()
    expect(sent.map((event) => event.seq)).toEqual(events.map((_, index) => index))
    expect(sent.map((event) => event.id)).toEqual(sent.map((event) => event.id).sort())
    expect(new Set(sent.map((event) => event.stream)).size).toBe(1)
    expect(sent[0]).not.toHaveProperty('session_id')
    expect(getAnalyticsSessionId()).toBe('')
  })

  it('goes in one request at a time, also when a flush comes before the timer does', async () => {
    const { trackEvent, flushAnalytics } = tracker()
    collector.replies.push({ status: 503, after: delay(150) })
    const first = trackEvent('SearchStarted', {})
    void flushAnalytics(0)
    await Promise.all([first, trackEvent('SearchStarted', {})])
    expect(collector.accepted().map(({ seq }) => seq)).toEqual([0, 1])
  })

  it('names the signed-in user unless the call names another or nobody', async () => {
    const { trackEvent, setAnalyticsUser } = tracker({ getUser: () => USER, getUserToken: () => 'jwt-1' })
    const other = USER.replaceAll('1', '2')
    await Promise.all([
      trackEvent('SearchStarted', {}),
      trackEvent('SearchStarted', {}, other),
      trackEvent('SearchStarted', {}, null),
    ])
    expect(collector.accepted().map((event) => event.user_id)).toEqual([USER, other, undefined])
    expect(JSON.parse(collector.requests[0]!.body).user_token).toBe('jwt-1')
    setAnalyticsUser(other, 'jwt-2')
    await trackEvent('SearchStarted', {})
    expect(collector.accepted().at(-1)!.user_id).toBe(other)
    expect(JSON.parse(collector.requests.at(-1)!.body).user_token).toBe('jwt-2')
  })

  it('waits for initAnalytics with the time of the call', async () => {
    const early = createTracker()
    trackers.push(early)
    const before = Date.now()
    const sent = early.trackEvent('SearchStarted', {}, USER, 's')
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(before + 20))
    const initialised = Date.now()
    early.initAnalytics({ url: collector.url, writeKey: 'pk_test' })
    await sent
    expect(Date.parse(collector.accepted()[0]!.created_at!)).toBeLessThan(initialised)
  })
})

describe('a retry', () => {
  it.each([503, 500, 429, 408])('after %i sends the same bytes of the events again', async (status) => {
    collector.replies.push({ status, body: { code: 'x', message: 'not now' } })
    await tracker().trackEvents([
      { eventType: 'SearchStarted', properties: { city: 'Bogotá' } },
      { eventType: 'ProfessionalViewed', properties: { pro_id: 'p' } },
    ])
    const [first, second] = collector.requests.map(({ body }) => body.slice(0, body.indexOf('],"sent_at"')))
    expect(second).toBe(first)
    expect(collector.accepted()).toHaveLength(2)
    expect(problems).toMatchObject([{ code: 'x', lost: false }])
  })

  it('waits at least as long as Retry-After says', async () => {
    collector.replies.push({ status: 429, headers: { 'retry-after': '2' }, body: {} })
    const began = Date.now()
    await tracker().trackEvent('SearchStarted', {})
    expect(Date.now() - began).toBeGreaterThanOrEqual(2000)
  })

  it('follows an answer that is not the collector’s, even a 200', async () => {
    collector.replies.push({ status: 200, body: '<html>' })
    await tracker().trackEvent('SearchStarted', {})
    expect(collector.requests).toHaveLength(2)
    expect(problems).toMatchObject([{ code: 'http_200', lost: false }])
  })

  it('ends when the event is too old; the promise resolves and the loss is told', async () => {
    const url = collector.url
    await collector.close()
    await tracker({ url, giveUpAfterMs: -1 }).trackEvent('SearchStarted', {})
    expect(problems).toMatchObject([{ code: 'gave_up', lost: true }])
    collector = await startRecordingCollector()
  })

  it('does not hold up a caller who awaits', async () => {
    const url = collector.url
    await collector.close()
    const { trackEvent, flushAnalytics } = tracker({ url, resolveWithinMs: 100 })
    await trackEvent('SearchStarted', {})
    expect(problems.every((problem) => problem.code === 'network' && !problem.lost)).toBe(true)
    expect(await flushAnalytics(50)).toBe(false)
    collector = await startRecordingCollector()
  })
})

describe('what is refused', () => {
  it('is told once and not sent again: a 4xx for the request', async () => {
    collector.replies.push({ status: 401, body: { code: 'unknown_write_key', message: 'no source' } })
    const { trackEvent, flushAnalytics } = tracker()
    await trackEvent('SearchStarted', {})
    expect(await flushAnalytics()).toBe(true)
    expect(collector.requests).toHaveLength(1)
    expect(problems).toMatchObject([{ code: 'unknown_write_key', message: 'no source', lost: true }])
  })

  it('is told by its id: a verdict on one event among others', async () => {
    const rejected = [{ index: 1, code: 'invalid_user_id', message: 'no uuid' }]
    collector.replies.push({ status: 202, body: { accepted: 1, rejected, server_time: new Date().toISOString() } })
    await tracker().trackEvents([
      { eventType: 'SearchStarted', properties: {} },
      { eventType: 'SearchStarted', properties: {}, userId: 'nobody' },
    ])
    const ids = eventsOf(collector.requests[0]!.body).map((event) => event.id)
    expect(problems).toEqual([{ code: 'invalid_user_id', message: 'no uuid', eventIds: [ids[1]], lost: true }])
  })

  it('never throws: circular properties, an event of 33 KB, a bad getUser, a bad onError, no array', async () => {
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    const { trackEvent, trackEvents } = tracker({
      getUser: () => {
        throw new Error('not loaded yet')
      },
      onError: (problem) => {
        problems.push(problem)
        throw new Error('the page fails')
      },
    })
    await trackEvent('SearchStarted', circular)
    await trackEvent('SearchStarted', { city: 'x'.repeat(33 * 1024) })
    await trackEvents(undefined as never)
    await trackEvents([null as never])
    await trackEvent('SearchStarted', { city: 'Cali' })
    expect(problems.map((problem) => problem.code)).toEqual([
      'invalid_properties',
      'event_too_large',
      'invalid_properties',
    ])
    expect(collector.accepted()).toMatchObject([{ seq: 0, properties: { city: 'Cali' } }])
  })
})

describe('the clock', () => {
  it('that is an hour off is corrected for later events, in steps that keep their order', async () => {
    const server_time = new Date(Date.now() + 3_600_000 + 70_000).toISOString()
    collector.replies.push({ status: 202, body: { accepted: 1, rejected: [], server_time } })
    const { trackEvent } = tracker()
    await trackEvent('SearchStarted', {})
    await trackEvent('SearchStarted', {})
    const [first, second] = collector.requests.map(({ body }) => JSON.parse(body))
    const step = Date.parse(second.batch[0].created_at) - Date.parse(first.batch[0].created_at)
    expect(Math.round(step / 60_000)).toBe(60)
    expect(Math.abs(Date.parse(second.sent_at) - Date.parse(second.batch[0].created_at))).toBeLessThan(2000)
  })

  it('that is slightly off is left alone', async () => {
    const server_time = new Date(Date.now() - 120_000).toISOString()
    collector.replies.push({ status: 202, body: { accepted: 1, rejected: [], server_time } })
    const { trackEvent } = tracker()
    await trackEvent('SearchStarted', {})
    await trackEvent('SearchStarted', {})
    const [first, second] = collector.accepted()
    expect(second!.created_at! >= first!.created_at!).toBe(true)
  })
})

describe('flush and close', () => {
  it('deliver what waits, and refuse what comes later', async () => {
    const { trackEvent, closeAnalytics } = tracker({ flushIntervalMs: 60_000 })
    await trackEvent('SearchStarted', {})
    void trackEvent('SearchStarted', {})
    expect(await closeAnalytics()).toBe(true)
    expect(collector.accepted()).toHaveLength(2)
    await trackEvent('SearchStarted', {})
    expect(problems).toMatchObject([{ code: 'closed' }])
  })
})
