import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { lateness } from '@platform-events/contracts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PUBLIC_KEY, type TestCollector, testCollector } from '../../../test/support/collector.ts'

const NOW = Date.parse('2026-11-24T12:00:00.000Z')
const ID = '019ab5e2-7c00-7abc-8def-0123456789ab'
const HEADERS = { authorization: `Bearer ${PUBLIC_KEY}` }

let collector: TestCollector
beforeEach(async () => {
  collector = await testCollector({ now: () => NOW })
})
afterEach(() => collector.app.close())

/** The request is refused as a whole and nothing of it is stored. */
async function refused(answer: ReturnType<TestCollector['post']>, status: number, code: string): Promise<void> {
  const { status: got, body } = await answer
  expect({ status: got, code: body.code, help: typeof body.help }).toEqual({ status, code, help: 'string' })
  expect(collector.log.records).toEqual([])
}

/** The event is rejected, and a good one beside it in the same batch is stored. */
async function rejected(event: unknown, code: string): Promise<void> {
  const raw = typeof event === 'string' ? event : JSON.stringify(event)
  collector.log.records.length = 0
  const { status, body } = await collector.post(`{"batch":[${raw},{"event_type":"Good"}]}`)
  expect(status).toBe(202)
  expect(body.accepted).toBe(1)
  expect(body.rejected).toEqual([expect.objectContaining({ index: 0, code, message: expect.any(String) })])
  expect(collector.log.events().map(({ event_type }) => event_type)).toEqual(['Good'])
}

/** The event is accepted, and this is how it was stored. */
async function stored(event: unknown) {
  const { status, body } = await collector.post(event)
  expect({ status, body }).toMatchObject({ status: 202, body: { accepted: 1, rejected: [] } })
  return collector.log.events()[0]!
}

describe('not JSON', () => {
  test.each(['', ' ', 'hello', '{', '{"event_type":"A"', 'undefined', "{'event_type':'A'}", '{"event_type":"A"}x'])(
    '%j is refused',
    (body) => refused(collector.post(body), 400, 'invalid_json'),
  )
  test.each(['null', '17', '"A"', 'true', '[]', '[{"event_type":"A"}]'])('%s is no event and no batch', (body) =>
    refused(collector.post(body), 400, 'invalid_batch'),
  )
  test('a raw NUL or line feed in a string is no JSON', async () => {
    await refused(collector.post('{"event_type":"A\u0000"}'), 400, 'invalid_json')
    await refused(collector.post('{"event_type":"A\n"}'), 400, 'invalid_json')
  })
  test('a batch that is no array is refused', () =>
    refused(collector.post({ batch: { event_type: 'A' } }), 400, 'invalid_batch'))
  test('a sent_at that is no time is refused', () =>
    refused(collector.post({ batch: [{ event_type: 'A' }], sent_at: 'now' }), 400, 'invalid_batch'))
  test('a write_key or user_token that is no string is refused', async () => {
    await refused(collector.post({ batch: [{ event_type: 'A' }], write_key: 7 }), 400, 'invalid_batch')
    await refused(collector.post({ batch: [{ event_type: 'A' }], user_token: {} }), 400, 'invalid_batch')
  })
  test('bytes that are no UTF-8 are refused', async () => {
    const latin1 = Buffer.from('{"event_type":"A","properties":{"city":"Bogotá"}}', 'latin1')
    await refused(collector.post(latin1), 400, 'invalid_encoding')
    const surrogate = Buffer.concat([
      Buffer.from('{"event_type":"'),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.from('"}'),
    ])
    await refused(collector.post(surrogate), 400, 'invalid_encoding')
  })
  test('a byte order mark before the JSON is passed over', async () => {
    expect(await stored('\ufeff{"event_type":"A"}')).toMatchObject({ event_type: 'A' })
  })
})

describe('too much', () => {
  test('a 10 MB body is refused', () => refused(collector.post('x'.repeat(10_000_000)), 413, 'payload_too_large'))
  test('500 KB is taken, a byte more is refused', async () => {
    const body = (bytes: number) => '{"event_type":"A"}'.padEnd(bytes, ' ')
    await refused(collector.post(body(500 * 1024 + 1)), 413, 'payload_too_large')
    expect(await collector.post(body(500 * 1024))).toMatchObject({ status: 202 })
  })

  test.each([
    ['gzip', gzipSync(Buffer.alloc(100_000_000))],
    ['deflate', deflateSync(Buffer.alloc(20_000_000))],
    ['br', brotliCompressSync(Buffer.alloc(20_000_000))],
  ])('a %s bomb stops at 500 KB', async (encoding, bomb) => {
    const before = process.memoryUsage().rss
    await refused(collector.post(bomb, { ...HEADERS, 'content-encoding': encoding }), 413, 'payload_too_large')
    expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000)
  })
  test('a bomb behind good JSON stores nothing of it', () => {
    const body = `{"event_type":"A"}${' '.repeat(2_000_000)}`
    return refused(collector.post(gzipSync(body), { ...HEADERS, 'content-encoding': 'gzip' }), 413, 'payload_too_large')
  })

  test('2,501 events are refused', () =>
    refused(collector.post({ batch: Array(2501).fill({ event_type: 'A' }) }), 413, 'too_many_events'))
  test('2,500 events are taken', async () => {
    const { status, body } = await collector.post({ batch: Array(2500).fill({ event_type: 'A' }) })
    expect({ status, body }).toMatchObject({ status: 202, body: { accepted: 2500 } })
    expect(collector.log.events()).toHaveLength(2500)
  })

  test('an event of more than 32 KB is rejected, one of 32 KB is taken', async () => {
    const event = (bytes: number) => {
      const bare = JSON.stringify({ event_type: 'Good', properties: { text: '' } }).length
      return { event_type: 'Good', properties: { text: 'x'.repeat(bytes - bare) } }
    }
    expect(JSON.stringify(event(32 * 1024))).toHaveLength(32 * 1024)
    await rejected(event(32 * 1024 + 1), 'event_too_large')
    const { body } = await collector.post(event(32 * 1024))
    expect(body.accepted).toBe(1)
  })
  test('an event of more than 32 KB in UTF-8, though not in characters, is rejected', () =>
    rejected({ event_type: 'A', properties: { text: '€'.repeat(12_000) } }, 'event_too_large'))
})

test('one bad event among 99 good: the 99 are stored, the bad one is named', async () => {
  const batch = Array.from({ length: 100 }, (_, i) => (i === 42 ? { event_type: '', id: ID } : { event_type: `E${i}` }))
  const { status, body } = await collector.post({ batch })
  expect(status).toBe(202)
  expect(body).toEqual({
    accepted: 99,
    rejected: [{ index: 42, id: ID, code: 'invalid_event_type', message: 'event_type has 0 characters.' }],
    server_time: '2026-11-24T12:00:00.000Z',
  })
  const types = new Set(collector.log.events().map(({ event_type }) => event_type))
  expect(types.size).toBe(99)
  expect(types).not.toContain('E42')
})

test('all events bad: 202 with the verdicts, nothing stored', async () => {
  const { status, body } = await collector.post({ batch: [{}, 7] })
  expect({ status, body }).toMatchObject({ status: 202, body: { accepted: 0, rejected: [{ index: 0 }, { index: 1 }] } })
  expect(collector.log.records).toEqual([])
})

test('a batch without events: 202, nothing stored', async () => {
  expect(await collector.post({ batch: [] })).toMatchObject({ status: 202, body: { accepted: 0, rejected: [] } })
  expect(collector.log.records).toEqual([])
})

test('an unknown write key is refused', () =>
  refused(collector.post({ event_type: 'A' }, { authorization: 'Bearer pk_nobody' }), 401, 'unknown_write_key'))

test('an origin that is not allowed is refused, and the page can read why', async () => {
  await collector.app.close()
  collector = await testCollector({ source: { allowedOrigins: ['https://shop.example'] } })
  const answer = collector.post({ event_type: 'A' }, { ...HEADERS, origin: 'https://evil.example' })
  await refused(answer, 403, 'origin_not_allowed')
  expect((await answer).headers).toMatchObject({ 'access-control-allow-origin': 'https://evil.example' })
})

describe('characters that Postgres refuses', () => {
  test('NUL goes, a lone surrogate becomes U+FFFD, in values and keys, and both are counted', async () => {
    const event = await stored(
      '{"event_type":"A\\u0000","session_id":"s\\ud800","properties":{"a\\u0000":"x\\u0000y","b":["\\udfff",{"c":"\\ud83d\\ude00"}]}}',
    )
    expect(event).toMatchObject({
      event_type: 'A',
      session_id: 's\ufffd',
      properties: { a: 'xy', b: ['\ufffd', { c: '😀' }] },
    })
    expect(await collector.counted('collector_cleaned_strings_total')).toBe(5)
  })
  test('an event_type that is empty once clean is rejected', () =>
    rejected('{"event_type":"\\u0000"}', 'invalid_event_type'))
})

describe('numbers and shapes', () => {
  test.each(['1e400', '-1e400', '1e140000', '[{"deep":1e309}]'])('%s is rejected', (number) =>
    rejected(`{"event_type":"A","properties":{"n":${number}}}`, 'invalid_number'),
  )
  test('the largest double is kept', async () => {
    expect(await stored('{"event_type":"A","properties":{"n":1.7976931348623157e308}}')).toMatchObject({
      properties: { n: Number.MAX_VALUE },
    })
  })
  test('__proto__ and constructor among the properties are data', async () => {
    await stored('{"event_type":"A","properties":{"__proto__":{"polluted":true},"constructor":{"prototype":1}}}')
    expect(collector.log.records[0]!.value.toString()).toContain(
      '"properties":{"__proto__":{"polluted":true},"constructor":{"prototype":1}}}\n',
    )
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })
  test('__proto__ as a field is rejected', () => rejected('{"event_type":"A","__proto__":{}}', 'unknown_field'))
  test('__proto__ as a field of the batch does no harm', async () => {
    const { body } = await collector.post('{"__proto__":{"batch":[]},"batch":[{"event_type":"A"}]}')
    expect(body.accepted).toBe(1)
  })
  test('depth 17 and depth 10,000 are rejected, also where strings need cleaning', async () => {
    const event = (depth: number, text = '1') =>
      `{"event_type":"A","properties":${'{"a":'.repeat(depth)}${text}${'}'.repeat(depth)}}`
    await rejected(event(17), 'too_deep')
    await rejected(event(10_000), 'too_deep')
    await rejected(event(10_000, '"\\u0000"'), 'too_deep')
    expect(await collector.post(event(16))).toMatchObject({ body: { accepted: 1 } })
  })
  test('depth 10,000 in place of a scalar is rejected', async () => {
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`
    await rejected(`{"event_type":${deep}}`, 'invalid_event_type')
    await rejected(deep, 'invalid_event')
    collector.log.records.length = 0
    await refused(collector.post(`{"event_type":"A","write_key":${deep}}`), 400, 'invalid_batch')
  })
  test('500 KB of [ are refused, and of [ with its ] too', async () => {
    await refused(collector.post('['.repeat(500 * 1024)), 400, 'invalid_json')
    await refused(collector.post(`${'['.repeat(256_000)}${']'.repeat(256_000)}`), 400, 'invalid_batch')
    await refused(collector.post('{"a":'.repeat(100_000)), 400, 'invalid_json')
  })
})

describe('fields', () => {
  test('a session_id of 3 KB is rejected', () =>
    rejected({ event_type: 'A', session_id: 's'.repeat(3000) }, 'invalid_session_id'))
  test('an empty event_type is rejected', () => rejected({ event_type: '' }, 'invalid_event_type'))
  test('an event_type of 129 is rejected', () => rejected({ event_type: 'x'.repeat(129) }, 'invalid_event_type'))
  test('an event_type that is no string is rejected', () => rejected({ event_type: 7 }, 'invalid_event_type'))
  test('a stream that is no UUID is rejected', () => rejected({ event_type: 'A', stream: 's' }, 'invalid_stream'))
  test('a seq below 0 is rejected', () => rejected({ event_type: 'A', seq: -1 }, 'invalid_seq'))
  test('properties that are no object are rejected', () =>
    rejected({ event_type: 'A', properties: 'p' }, 'invalid_properties'))
  test('an unknown field is rejected by its name', () => rejected({ event_type: 'A', city: 'Cali' }, 'unknown_field'))
  test('an event that is no object is rejected', () => rejected('null', 'invalid_event'))
  test('a user_id that is no UUID is rejected', () => rejected({ event_type: 'A', user_id: 'bob' }, 'invalid_user_id'))
})

describe('created_at', () => {
  test('absent: the time of the UUIDv7', async () => {
    const event = await stored({ event_type: 'A', id: ID })
    expect(event.created_at).toBe('2025-11-24T12:41:50.336Z')
    expect(event).not.toHaveProperty('time_of_receipt')
  })
  test('absent, and no UUIDv7: the time of receipt, which the event says', async () => {
    const event = await stored({ event_type: 'A', id: '6f9619ff-8b86-4011-b42d-00cf4fc964ff' })
    expect(event).toMatchObject({ created_at: '2026-11-24T12:00:00.000Z', time_of_receipt: true })
  })
  test('ten years old: stored as it is, for quarantine', async () => {
    const event = await stored({ event_type: 'A', created_at: '2016-11-24T12:00:00Z' })
    expect(event.created_at).toBe('2016-11-24T12:00:00.000Z')
    expect(event).not.toHaveProperty('raw_created_at')
    expect(lateness(Date.parse(event.created_at), NOW)).toBe('too_old')
  })
  test('next year: brought back to now, its own time kept', async () => {
    const event = await stored({ event_type: 'A', created_at: '2027-11-24T12:00:00Z' })
    expect(event).toMatchObject({
      created_at: '2026-11-24T12:00:00.000Z',
      raw_created_at: '2027-11-24T12:00:00.000Z',
    })
  })
  test('next year, by a clock that is right: stored as it is, for quarantine', async () => {
    const batch = [{ event_type: 'A', created_at: '2027-11-24T12:00:00Z' }]
    await collector.post({ batch, sent_at: new Date(NOW).toISOString() })
    expect(lateness(Date.parse(collector.log.events()[0]!.created_at), NOW)).toBe('in_future')
  })
  test('of an hour ago, by a clock an hour behind: now', async () => {
    const batch = [{ event_type: 'A', created_at: '2026-11-24T10:59:58Z' }]
    await collector.post({ batch, sent_at: '2026-11-24T11:00:01Z' })
    expect(collector.log.events()[0]).toMatchObject({
      created_at: '2026-11-24T11:59:58.000Z',
      raw_created_at: '2026-11-24T10:59:58.000Z',
    })
  })
  test('"yesterday" is rejected', () => rejected({ event_type: 'A', created_at: 'yesterday' }, 'invalid_created_at'))
  test('the 30th of February is rejected', () =>
    rejected({ event_type: 'A', created_at: '2026-02-30T00:00:00Z' }, 'invalid_created_at'))
})

describe('id', () => {
  test('absent: a UUIDv7 is made', async () => {
    expect((await stored({ event_type: 'A' })).id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  })
  test('not a UUID: rejected, and repeated in the verdict', async () => {
    await rejected({ event_type: 'A', id: '17' }, 'invalid_id')
  })
  test('twice in one batch: the first is stored, the second counted', async () => {
    const batch = [
      { event_type: 'First', id: ID },
      { event_type: 'Other' },
      { event_type: 'Second', id: ID.toUpperCase() },
    ]
    const { body } = await collector.post({ batch })
    expect(body).toMatchObject({ accepted: 2, duplicates: 1, rejected: [] })
    expect(collector.log.events().map(({ event_type }) => event_type)).toEqual(['First', 'Other'])
  })
  test('twice, the first of them bad: the second is stored', async () => {
    const { body } = await collector.post({
      batch: [
        { event_type: '', id: ID },
        { event_type: 'Good', id: ID },
      ],
    })
    expect(body).toMatchObject({ accepted: 1, rejected: [{ index: 0, id: ID }] })
    expect(body).not.toHaveProperty('duplicates')
  })
})

test('a user_id of nobody is stored where the source is trusted', async () => {
  await collector.app.close()
  collector = await testCollector({ source: { userIds: 'trust' } })
  const nobody = 'ffffffff-8b86-4011-b42d-00cf4fc964ff'
  expect(await stored({ event_type: 'A', user_id: nobody })).toMatchObject({ user_id: nobody })
})
