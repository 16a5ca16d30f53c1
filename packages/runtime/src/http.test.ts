import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { REQUEST_ERRORS, RequestError, type RequestErrorCode } from '@platform-events/contracts'
import { expect, test } from 'vitest'
import type { HealthCheck } from './health.ts'
import { buildHttp, httpComponent } from './http.ts'
import { createLogger } from './logger.ts'
import { createMetrics } from './metrics.ts'

function build(checks: Record<string, HealthCheck> = {}) {
  return buildHttp({ logger: createLogger({ name: 'test', level: 'silent' }), metrics: createMetrics(), checks })
}

test('every error code becomes its status, with its help; 429 and 503 carry Retry-After', async () => {
  const app = build()
  app.get('/fail/:code', async (request) => {
    const { code } = request.params as { code: RequestErrorCode }
    throw new RequestError(code, 'said here', { retryAfterSeconds: code === 'rate_limited' ? 7.2 : 1 })
  })
  for (const [code, { status, help, retryable }] of Object.entries(REQUEST_ERRORS)) {
    const answer = await app.inject(`/fail/${code}`)
    expect(answer.statusCode).toBe(status)
    expect(answer.json()).toEqual({ code, message: 'said here', help, retryable })
  }
  expect((await app.inject('/fail/rate_limited')).headers['retry-after']).toBe('8')
  expect((await app.inject('/fail/log_unavailable')).headers['retry-after']).toBe('1')
})

test('an unforeseen error tells the client nothing of its text', async () => {
  const app = build()
  app.get('/fail', async () => {
    throw new Error('password authentication failed for host db.internal')
  })
  const answer = await app.inject('/fail')
  expect(answer.statusCode).toBe(500)
  expect(answer.json().code).toBe('internal')
  expect(answer.body).not.toContain('db.internal')
})

test('an unknown path is a 404 with the code', async () => {
  const answer = await build().inject('/nowhere?secret=1')
  expect(answer.statusCode).toBe(404)
  expect(answer.json().code).toBe('not_found')
  expect(answer.body).not.toContain('secret')
})

test('/readyz tells each part with its reason, and is 503 while one is not ok', async () => {
  const parts: Record<string, HealthCheck> = {
    database: () => ({ ok: true, detail: '3 connections' }),
    log: () => {
      throw new Error('disk full')
    },
  }
  const answer = await build(parts).inject('/readyz')
  expect(answer.statusCode).toBe(503)
  expect(answer.json()).toEqual({
    ok: false,
    parts: { database: { ok: true, detail: '3 connections' }, log: { ok: false, detail: 'disk full' } },
  })
  expect((await build({ database: parts['database']! }).inject('/readyz')).statusCode).toBe(200)
})

test('what stands behind is told, and does not decide', async () => {
  const { ok, bad } = { ok: () => ({ ok: true }), bad: () => ({ ok: false, detail: 'away' }) }
  const logger = createLogger({ name: 'test', level: 'silent' })
  const app = buildHttp({ logger, metrics: createMetrics(), checks: { log: ok }, behind: { consumer: bad } })
  const answer = await app.inject('/readyz')
  expect(answer.statusCode).toBe(200)
  expect(answer.json()).toEqual({ ok: true, parts: { log: { ok: true }, consumer: { ok: false, detail: 'away' } } })
})

test('/metrics speaks the Prometheus text format', async () => {
  const answer = await build().inject('/metrics')
  expect(answer.headers['content-type']).toContain('text/plain')
  expect(answer.body).toContain('process_cpu_seconds_total')
})

test('a connection on which nothing was asked does not hold up the end', async () => {
  const app = build()
  await app.listen({ host: '127.0.0.1', port: 0 })
  const silent = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  silent.on('error', () => undefined)
  await once(app.server, 'connection')
  await app.close() // the test's own deadline is the assertion: Node would wait for a minute
  silent.destroy()
})

const GET = 'GET /livez HTTP/1.1\r\nHost: x\r\n'
test.each([
  ['two lengths', `${GET}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`, 'invalid_http'],
  ['a length and chunks', `${GET}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 'invalid_http'],
  ['a length that is no number', `${GET}Content-Length: 0x4\r\n\r\nabcd`, 'invalid_http'],
  ['lines that end with LF alone', GET.replaceAll('\r\n', '\n').concat('\n'), 'invalid_http'],
  ['what is not HTTP', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'invalid_http'],
  ['headers without end', `${GET}X: ${'x'.repeat(20_000)}\r\n\r\n`, 'headers_too_large'],
  ['a path that does not decode', 'GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 'invalid_query'],
])('a broken request is answered from the table of codes, and its connection ends: %s', async (_, bytes, code) => {
  const app = build()
  await app.listen({ host: '127.0.0.1', port: 0 })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  socket.write(`${bytes}`)
  let received = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text
  })
  socket.on('error', () => undefined)
  await once(socket, 'close')
  const { status, help, retryable } = REQUEST_ERRORS[code as RequestErrorCode]
  expect(received).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  expect(JSON.parse(received.split('\r\n\r\n')[1]!)).toEqual({ code, message: expect.any(String), help, retryable })
  await app.close()
})

/** An app that listens, and a connection that keeps alive and has begun a request whose body is still to come. */
async function withRequestInHand(drainMs?: number) {
  const app = build()
  app.post('/', async (request) => request.body)
  const { promise: inHand, resolve } = promised()
  app.addHook('onRequest', async () => resolve())
  const http = httpComponent(app, { host: '127.0.0.1', port: 0 }, drainMs)
  await http.start()
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8')
  const received: string[] = []
  socket.on('data', (text: string) => received.push(text))
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{')
  await inHand
  return { http, socket, received }
}

function promised(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

test('a request in hand is answered while it drains, and its connection then closed', async () => {
  const { http, socket, received } = await withRequestInHand()
  const begun = performance.now()
  const drained = http.drain?.()
  socket.write('}')
  await Promise.all([drained, once(socket, 'close')])
  expect(performance.now() - begun).toBeLessThan(2000)
  expect(received.join('')).toMatch(/^HTTP\/1\.1 200 OK.*connection: close.*\{\}$/is)
})

test('a body that does not end holds up a drain for so long and no longer', async () => {
  const { http, socket } = await withRequestInHand(50)
  await Promise.all([http.drain?.(), once(socket, 'close')])
})
