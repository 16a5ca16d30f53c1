import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type EVENT_ERRORS, REQUEST_ERRORS } from '@platform-events/contracts'
import { expect, test } from 'vitest'
import { PUBLIC_KEY, type TestCollector, testCollector } from '../../../test/support/collector.ts'

const EVENT = '{"event_type":"A"}'
const KEY = { authorization: `Bearer ${PUBLIC_KEY}` }
const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

type Send = (collector: TestCollector) => ReturnType<TestCollector['post']>

/** How to get every error that the collector gives for a request as a whole. */
const REQUESTS: Partial<Record<keyof typeof REQUEST_ERRORS, Send>> = {
  invalid_json: ({ post }) => post('{'),
  invalid_batch: ({ post }) => post('[]'),
  invalid_encoding: ({ post }) => post(EVENT, { ...KEY, 'content-encoding': 'gzip' }),
  missing_write_key: ({ post }) => post(EVENT, {}),
  unknown_write_key: ({ post }) => post(EVENT, { authorization: 'Bearer pk_nobody' }),
  origin_not_allowed: ({ post }) => post(EVENT, { ...KEY, origin: 'https://evil.example' }),
  method_not_allowed: async ({ app }) => {
    const answer = await app.inject({ method: 'DELETE', url: '/v1/events' })
    return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
  },
  not_found: ({ post }) => post(EVENT, KEY, '/v1/event'),
  payload_too_large: ({ post }) => post(gzipSync(Buffer.alloc(600_000)), { ...KEY, 'content-encoding': 'gzip' }),
  too_many_events: ({ post }) => post({ batch: Array(2501).fill(1) }),
  unsupported_media_type: ({ post }) => post(EVENT, { ...KEY, 'content-type': 'image/png' }),
  unsupported_encoding: ({ post }) => post(EVENT, { ...KEY, 'content-encoding': 'zstd' }),
  rate_limited: async ({ post }) => {
    await post({ batch: Array(2500).fill({ event_type: 'A' }) })
    return post(EVENT)
  },
  internal: ({ post, log }) => {
    log.fail(new Error('unforeseen'))
    return post(EVENT)
  },
  log_unavailable: ({ post, log }) => {
    log.fail()
    return post(EVENT)
  },
}

/** The source directory gives this one (its own test). */
const OTHERS = ['database_unavailable']

/** An event for every verdict. */
const EVENTS: Record<keyof typeof EVENT_ERRORS, string> = {
  invalid_event: '7',
  unknown_field: '{"event_type":"A","x":1}',
  invalid_event_type: '{}',
  invalid_id: '{"event_type":"A","id":"1"}',
  invalid_user_id: '{"event_type":"A","user_id":"1"}',
  invalid_session_id: '{"event_type":"A","session_id":1}',
  invalid_properties: '{"event_type":"A","properties":1}',
  invalid_created_at: '{"event_type":"A","created_at":1}',
  invalid_stream: '{"event_type":"A","stream":1}',
  invalid_seq: '{"event_type":"A","seq":"1"}',
  invalid_number: '{"event_type":"A","properties":{"a":1e999}}',
  event_too_large: `{"event_type":"A","properties":{"a":"${'x'.repeat(33_000)}"}}`,
  too_deep: `{"event_type":"A","properties":${deep(17)}}`,
}

const source = { allowedOrigins: ['https://shop.example'], eventsPerSecond: 100 }

test.each(Object.entries(REQUESTS))('%s', async (code, send) => {
  const collector = await testCollector({ source })
  const { status, headers, body } = await send(collector)
  const { help, retryable, status: expected } = REQUEST_ERRORS[code as keyof typeof REQUEST_ERRORS]
  expect({ status, body }).toEqual({ status: expected, body: { code, message: expect.any(String), help, retryable } })
  expect(headers['retry-after'] !== undefined).toBe(status === 429 || status === 503)
  await collector.app.close()
})

test.each(Object.entries(EVENTS))('%s', async (code, event) => {
  const collector = await testCollector()
  const { status, body } = await collector.post(`{"batch":[${event}]}`)
  expect(status).toBe(202)
  expect(body.rejected).toEqual([expect.objectContaining({ index: 0, code })])
  await collector.app.close()
})

test('every error that stands in the code of the collector has its example here', async () => {
  const files = (await readdir(import.meta.dirname)).filter((name) => name.endsWith('.ts') && !name.includes('.test.'))
  const texts = await Promise.all(files.map((name) => readFile(join(import.meta.dirname, name), 'utf8')))
  const codes = texts.flatMap((text) => Array.from(text.matchAll(/RequestError\(\s*'(\w+)'/g), (found) => found[1]!))
  expect(new Set(codes).size).toBeGreaterThan(10)
  expect(codes.filter((code) => !(code in REQUESTS || OTHERS.includes(code)))).toEqual([])
})
