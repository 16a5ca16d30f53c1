import { afterEach, describe, expect, test } from 'vitest'
import { PUBLIC_KEY, SECRET_KEY, type TestCollector, testCollector } from '../../../test/support/collector.ts'

const EVENT = { event_type: 'A' }
const SHOP = 'https://shop.example'

let collector: TestCollector
afterEach(() => collector.app.close())

const post = (origin: string | undefined, key = PUBLIC_KEY) =>
  collector.post(
    { ...EVENT, write_key: key },
    { 'content-type': 'text/plain', ...(origin === undefined ? {} : { origin }) },
  )

describe('a source open to any origin', () => {
  test.each([SHOP, 'null', 'http://localhost:3000'])('takes %s, and any page can read the answer', async (origin) => {
    collector = await testCollector()
    const { status, headers } = await post(origin)
    expect(status).toBe(202)
    expect(headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'retry-after',
    })
    expect(headers).not.toHaveProperty('access-control-allow-credentials')
  })

  test('says nothing about origins where none was sent', async () => {
    collector = await testCollector()
    expect((await post(undefined)).headers).not.toHaveProperty('access-control-allow-origin')
  })
})

describe('a source bound to origins', () => {
  const bound = { allowedOrigins: [SHOP, 'HTTP://Localhost:3000/'] }

  test.each([SHOP, 'http://localhost:3000'])('takes %s and mirrors it', async (origin) => {
    collector = await testCollector({ source: bound })
    const { status, headers } = await post(origin)
    expect(status).toBe(202)
    expect(headers).toMatchObject({ 'access-control-allow-origin': origin, vary: 'origin' })
  })

  test.each([
    'https://evil.example',
    `${SHOP}.evil.example`,
    'http://shop.example',
    'https://shop.example:8443',
    'null',
  ])('refuses %s, readably', async (origin) => {
    collector = await testCollector({ source: bound })
    const { status, headers, body } = await post(origin)
    expect({ status, code: body.code }).toEqual({ status: 403, code: 'origin_not_allowed' })
    expect(headers).toMatchObject({ 'access-control-allow-origin': origin })
    expect(collector.log.records).toEqual([])
  })

  test('takes a server, which sends no origin', async () => {
    collector = await testCollector({ source: bound })
    expect((await post(undefined)).status).toBe(202)
  })

  test('takes the secret key from anywhere', async () => {
    collector = await testCollector({ source: bound })
    expect((await post('https://evil.example', SECRET_KEY)).status).toBe(202)
  })
})

test.each([
  ['unknown key', { ...EVENT, write_key: 'pk_nobody' }, 401],
  ['not JSON', '{', 400],
  ['too large', 'x'.repeat(600_000), 413],
])('an error is readable by the page: %s', async (_, body, status) => {
  collector = await testCollector()
  const answer = await collector.post(body, { 'content-type': 'text/plain', origin: SHOP })
  expect(answer.status).toBe(status)
  expect(answer.headers).toMatchObject({ 'access-control-allow-origin': '*' })
})

test('a preflight is answered for a day', async () => {
  collector = await testCollector({ source: { allowedOrigins: [SHOP] } })
  const answer = await collector.app.inject({
    method: 'OPTIONS',
    url: '/v1/events',
    headers: {
      origin: SHOP,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  })
  expect(answer.statusCode).toBe(204)
  expect(answer.headers).toMatchObject({
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'authorization, content-type, content-encoding',
    'access-control-max-age': '86400',
  })
})
