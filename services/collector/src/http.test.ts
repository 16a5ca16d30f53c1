import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  PUBLIC_KEY,
  SECRET_KEY,
  type TestCollector,
  testCollector,
  testSource,
} from '../../../test/support/collector.ts'

const NOW = Date.parse('2026-11-24T12:00:00.000Z')
const EVENT = { event_type: 'A' }

let collector: TestCollector
beforeEach(async () => {
  collector = await testCollector({ now: () => NOW })
})
afterEach(() => collector.app.close())

describe('what a request may look like', () => {
  test('one event', async () => {
    const { status, headers, body } = await collector.post(EVENT)
    expect(status).toBe(202)
    expect(headers['content-type']).toMatch('application/json')
    expect(body).toEqual({ accepted: 1, rejected: [], server_time: '2026-11-24T12:00:00.000Z' })
  })

  test('a batch, with fields that a newer client may add', async () => {
    const { body } = await collector.post({ batch: [EVENT, EVENT], sent_at: '2026-11-24T12:00:00Z', sdk: 'x/9' })
    expect(body.accepted).toBe(2)
  })

  test('one event with the fields of a batch beside its own', async () => {
    const body = { ...EVENT, sent_at: '2026-11-24T12:00:00Z', write_key: PUBLIC_KEY, user_token: null }
    expect(await collector.post(body, {})).toMatchObject({ status: 202, body: { accepted: 1 } })
  })

  test.each([
    undefined,
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF-8"',
    'text/plain',
    'text/plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
  ])('Content-Type %s', async (type) => {
    const headers = { authorization: `Bearer ${PUBLIC_KEY}`, ...(type === undefined ? {} : { 'content-type': type }) }
    expect(await collector.post(EVENT, headers)).toMatchObject({ status: 202, body: { accepted: 1 } })
  })

  test.each(['multipart/form-data; boundary=x', 'application/json; charset=latin1', 'json'])(
    'but not Content-Type %s',
    async (type) => {
      const headers = { authorization: `Bearer ${PUBLIC_KEY}`, 'content-type': type }
      const { status, body } = await collector.post(EVENT, headers)
      expect({ status, code: body.code }).toEqual({ status: 415, code: 'unsupported_media_type' })
    },
  )

  test.each([
    ['gzip', gzipSync],
    ['GZIP', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['identity', (text: string) => Buffer.from(text)],
  ])('Content-Encoding %s', async (encoding, encode) => {
    const headers = { authorization: `Bearer ${PUBLIC_KEY}`, 'content-encoding': encoding }
    expect(await collector.post(encode(JSON.stringify(EVENT)), headers)).toMatchObject({ status: 202 })
    expect(collector.log.events()).toHaveLength(1)
  })

  test.each(['zstd', 'gzip, br', 'constructor'])('but not Content-Encoding %s', async (encoding) => {
    const headers = { authorization: `Bearer ${PUBLIC_KEY}`, 'content-encoding': encoding }
    const { status, body } = await collector.post(EVENT, headers)
    expect({ status, code: body.code }).toEqual({ status: 415, code: 'unsupported_encoding' })
  })

  test.each(['gzip', 'deflate', 'br'])('a body that is no %s, or half of it, is refused', async (encoding) => {
    const encode = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync }[encoding]!
    const headers = { authorization: `Bearer ${PUBLIC_KEY}`, 'content-encoding': encoding }
    for (const body of [Buffer.from('{"event_type":"A"}'), encode(JSON.stringify(EVENT)).subarray(0, 12)]) {
      const answer = await collector.post(body, headers)
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_encoding' } })
    }
  })

  test.each(['GET', 'PUT', 'PATCH', 'DELETE'] as const)('but not %s', async (method) => {
    const answer = await collector.app.inject({ method, url: '/v1/events' })
    expect(answer.statusCode).toBe(405)
    expect(answer.headers['allow']).toBe('POST, OPTIONS')
    expect(answer.json()).toMatchObject({ code: 'method_not_allowed' })
  })
})

describe('the write key', () => {
  const basic = (user: string) => `Basic ${Buffer.from(`${user}:`).toString('base64')}`
  test.each([
    ['Authorization: Bearer', EVENT, { authorization: `Bearer ${PUBLIC_KEY}` }, '/v1/events'],
    ['Authorization: bearer, in small letters', EVENT, { authorization: `bearer  ${PUBLIC_KEY}` }, '/v1/events'],
    ['the Basic user', EVENT, { authorization: basic(PUBLIC_KEY) }, '/v1/events'],
    ['write_key in a batch', { batch: [EVENT], write_key: PUBLIC_KEY }, {}, '/v1/events'],
    ['write_key beside an event', { ...EVENT, write_key: PUBLIC_KEY }, {}, '/v1/events'],
    ['?write_key=', EVENT, {}, `/v1/events?write_key=${PUBLIC_KEY}`],
    ['the secret key', EVENT, { authorization: `Bearer ${SECRET_KEY}` }, '/v1/events'],
    [
      'the body, where a browser adds the password of the site',
      { ...EVENT, write_key: PUBLIC_KEY },
      { authorization: basic('visitor') },
      '/v1/events',
    ],
  ])('is taken as %s', async (_, body, headers, url) => {
    expect(await collector.post(body, headers, url)).toMatchObject({ status: 202, body: { accepted: 1 } })
    expect(collector.log.records[0]!.headers.source_id).toBe(7)
  })

  test.each([{}, { authorization: '' }, { authorization: 'Bearer' }, { authorization: 'Digest x' }])(
    'is missed in %j',
    async (headers) => {
      expect(await collector.post(EVENT, headers)).toMatchObject({ status: 401, body: { code: 'missing_write_key' } })
    },
  )

  test('is never the hash of a secret key', async () => {
    const hash = testSource().secretKeyHash
    for (const key of [hash, `sk_${hash}`, `sha256:${hash}`]) {
      const answer = await collector.post(EVENT, { authorization: `Bearer ${key}` })
      expect(answer).toMatchObject({ status: 401, body: { code: 'unknown_write_key' } })
    }
  })
})

describe('records', () => {
  const user = '6f9619ff-8b86-4011-b42d-00cf4fc964ff'
  const secret = { authorization: `Bearer ${SECRET_KEY}` }

  test('one for each key of a request: the session, else the user, else the id', async () => {
    const id = '019ab5e2-7c00-7abc-8def-0123456789ab'
    await collector.post(
      {
        batch: [
          { event_type: 'A', session_id: 's' },
          { event_type: 'B', user_id: user },
          { event_type: 'C', id },
          { event_type: 'D', session_id: 's', user_id: user },
        ],
      },
      secret,
    )
    const { records } = collector.log
    expect(records.map(({ key }) => key)).toEqual(['s', user, id])
    expect(records.map(({ headers }) => headers.events)).toEqual([2, 1, 1])
    const lines = records[0]!.value.toString().split('\n')
    expect(lines.map((line) => line && JSON.parse(line).event_type)).toEqual(['A', 'D', ''])
  })

  test('carry what holds for the request', async () => {
    await collector.post({ batch: [{ event_type: 'A', session_id: 's' }, EVENT] })
    const [first, second] = collector.log.records.map(({ headers }) => headers)
    expect(first).toEqual({
      schema: '1',
      source_id: 7,
      batch_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      received_at: '2026-11-24T12:00:00.000Z',
      events: 1,
    })
    expect(second!.batch_id).toBe(first!.batch_id)
  })

  test('are split before they outgrow the log, in order', async () => {
    // 400 KB on the wire that come out as 2 MB: 1e20 is written with its zeros.
    const numbers = `[${Array(1300).fill('1e20').join(',')}]`
    const batch = Array.from(
      { length: 60 },
      (_, seq) => `{"event_type":"A","session_id":"s","seq":${seq},"properties":{"n":${numbers}}}`,
    )
    const { body } = await collector.post(`{"batch":[${batch.join(',')}]}`)
    expect(body).toMatchObject({ accepted: 60, rejected: [] })
    expect(Math.max(...collector.log.records.map(({ value }) => value.length))).toBeLessThan(900_000)
    expect(collector.log.records.length).toBeGreaterThan(1)
    expect(collector.log.events().map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, seq) => seq))
  })

  test('properties stand last, whatever the event holds', async () => {
    const properties = { properties: { a: 1 }, note: '"properties":' }
    await collector.post({ properties, event_type: '"properties":', session_id: ',"properties":{}' })
    const line = collector.log.records[0]!.value.toString()
    const start = line.indexOf('"properties":') + '"properties":'.length
    expect(line.slice(start)).toBe(`${JSON.stringify(properties)}}\n`)
  })
})

describe('metrics', () => {
  test('count events by what became of them', async () => {
    const id = '019ab5e2-7c00-7abc-8def-0123456789ab'
    await collector.post({ batch: [EVENT, { event_type: 'A', id }, { event_type: 'B', id }, {}, { event_type: 1 }, 5] })
    const outcome = (name: string) => collector.counted('collector_events_total', { outcome: name })
    expect([await outcome('accepted'), await outcome('duplicate'), await outcome('rejected')]).toEqual([2, 1, 3])
    expect(await collector.counted('collector_rejected_events_total', { code: 'invalid_event_type' })).toBe(2)
    expect(await collector.counted('collector_rejected_events_total', { code: 'invalid_event' })).toBe(1)
    expect(await collector.counted('collector_inflight_bytes')).toBe(0)
  })

  test('time requests, by status', async () => {
    await collector.post(EVENT)
    await collector.post('x')
    const text = await collector.metrics.metrics()
    expect(text).toContain('collector_request_seconds_count{status="202"} 1')
    expect(text).toContain('collector_request_seconds_count{status="400"} 1')
  })
})
