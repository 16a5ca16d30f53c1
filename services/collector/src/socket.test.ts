import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { openLocalLog } from '@platform-events/event-log'
import { createLogger } from '@platform-events/runtime'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PUBLIC_KEY, type TestCollector, testCollector } from '../../../test/support/collector.ts'

let collector: TestCollector
let port: number
const sockets: Socket[] = []

async function listen(options: Parameters<typeof testCollector>[0] = {}): Promise<void> {
  collector = await testCollector(options)
  await collector.app.listen({ port: 0, host: '127.0.0.1' })
  port = (collector.app.server.address() as AddressInfo).port
}

/** A connection on which to write by hand; `received` is all that came back so far. */
async function open(): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', () => {})
  await once(socket, 'connect')
  return { socket, received: () => Buffer.concat(chunks).toString() }
}

const head = (...lines: string[]) =>
  ['POST /v1/events HTTP/1.1', 'Host: x', `Authorization: Bearer ${PUBLIC_KEY}`, ...lines, '', ''].join('\r\n')
const GOOD = '{"event_type":"Good"}'
const goodRequest = head('Content-Type: text/plain', `Content-Length: ${GOOD.length}`) + GOOD

beforeEach(() => listen())
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await collector.app.close()
})

describe('a body of 10 MB', () => {
  test('said beforehand: the client reads a 413 and goes on with the same connection', async () => {
    const { socket, received } = await open()
    socket.write(head('Content-Type: text/plain', 'Content-Length: 10000000'))
    socket.write(Buffer.alloc(10_000_000, 'x'))
    socket.write(goodRequest)
    await expect.poll(received, { timeout: 5000 }).toMatch(/HTTP\/1.1 413.*payload_too_large.*HTTP\/1.1 202/s)
    expect(collector.log.events().map(({ event_type }) => event_type)).toEqual(['Good'])
  })

  test('in chunks without a length: the same', async () => {
    const { socket, received } = await open()
    socket.write(head('Content-Type: text/plain', 'Transfer-Encoding: chunked'))
    for (let i = 0; i < 10; i++) socket.write(`f4240\r\n${'x'.repeat(1_000_000)}\r\n`)
    socket.write(`0\r\n\r\n${goodRequest}`)
    await expect.poll(received, { timeout: 5000 }).toMatch(/HTTP\/1.1 413.*payload_too_large.*HTTP\/1.1 202/s)
  })

  test('by fetch: the answer is read', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/events?write_key=${PUBLIC_KEY}`, {
      method: 'POST',
      body: 'x'.repeat(10_000_000),
    })
    expect({ status: answer.status, body: await answer.json() }).toMatchObject({
      status: 413,
      body: { code: 'payload_too_large' },
    })
  })
})

test('a gzip bomb in pieces: 413, and the connection goes on', async () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000))
  const { socket, received } = await open()
  socket.write(head('Content-Encoding: gzip', `Content-Length: ${bomb.length}`))
  for (let at = 0; at < bomb.length; at += 10_000) socket.write(bomb.subarray(at, at + 10_000))
  socket.write(goodRequest)
  await expect.poll(received, { timeout: 5000 }).toMatch(/HTTP\/1.1 413.*HTTP\/1.1 202/s)
})

test('a refusal before the body was read leaves the connection open', async () => {
  const { socket, received } = await open()
  socket.write(`${head('Content-Type: image/png', 'Content-Length: 5')}hello${goodRequest}`)
  await expect.poll(received).toMatch(/HTTP\/1.1 415.*HTTP\/1.1 202/s)
})

test('a client that goes away in the middle of its body stores nothing and holds nothing', async () => {
  const { socket } = await open()
  socket.write(`${head('Content-Type: text/plain', 'Content-Length: 1000')}${GOOD}`)
  await expect.poll(() => collector.counted('collector_inflight_bytes')).toBe(GOOD.length)
  socket.destroy()
  await expect.poll(() => collector.counted('collector_inflight_bytes')).toBe(0)
  expect(collector.log.records).toEqual([])
})

test('a client that goes away while the log is at work holds nothing afterwards', async () => {
  const release = collector.log.hold()
  const { socket } = await open()
  socket.write(goodRequest)
  await expect.poll(() => collector.counted('collector_inflight_bytes')).toBe(GOOD.length)
  socket.destroy()
  release()
  await expect.poll(() => collector.counted('collector_inflight_bytes')).toBe(0)
})

test('text/plain from a page needs no preflight: a simple request, its answer readable', async () => {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, {
    method: 'POST',
    headers: { origin: 'https://shop.example' },
    body: JSON.stringify({ batch: [{ event_type: 'A' }], write_key: PUBLIC_KEY }),
  })
  expect(answer.status).toBe(202)
  expect(answer.headers.get('access-control-allow-origin')).toBe('*')
})

test('on the real local log: what was acknowledged is read back from it, byte for byte', async () => {
  await collector.app.close()
  const directory = await mkdtemp(join(tmpdir(), 'collector-log-'))
  const log = await openLocalLog({ directory, logger: createLogger({ name: 'log', level: 'silent' }) })
  try {
    await listen({ log })
    const batch = Array.from({ length: 20 }, (_, seq) => ({ event_type: 'Ünïcode', session_id: 's', seq }))
    const answers = await Promise.all(Array.from({ length: 25 }, () => collector.post({ batch })))
    expect(answers.map(({ body }) => body.accepted)).toEqual(Array(25).fill(20))
    const lines: string[] = []
    const consumption = await log.consume({
      group: 'test',
      from: async () => null,
      async onBatch({ records, nextOffset }) {
        for (const { value } of records) lines.push(...value.toString('utf8').trimEnd().split('\n'))
        return nextOffset
      },
    })
    await expect.poll(() => lines.length).toBe(500)
    await consumption.stop()
    expect(new Set(lines.map((line) => JSON.parse(line).id)).size).toBe(500)
    expect(lines.every((line) => JSON.parse(line).event_type === 'Ünïcode')).toBe(true)
  } finally {
    await log.close()
    await rm(directory, { recursive: true })
  }
})

describe('bodies that are kept waiting for their last bytes', () => {
  /** A request whose body lacks one byte of what its head says. */
  const allButOne = (bytes: number) => `${head(`Content-Length: ${bytes}`)}${'x'.repeat(bytes - 1)}`

  test('give way to others once the bytes in flight are at their bound, the oldest first', async () => {
    await collector.app.close()
    let now = 1_000_000
    await listen({ maxInFlightBytes: 100_000, now: () => now })
    const held = []
    for (let i = 0; i < 3; i++) {
      held.push(await open())
      held[i]!.socket.write(allButOne(33_300))
      await expect.poll(() => collector.counted('collector_inflight_bytes')).toBe((i + 1) * 33_299)
      now += 1
    }
    const body = JSON.stringify({ event_type: 'Good', properties: { text: 'x'.repeat(1000) } })
    expect((await collector.post(body)).status).toBe(503) // they have only just begun
    now += 2000
    expect((await collector.post(body)).status).toBe(202)
    await expect.poll(held[0]!.received).toMatch(/HTTP\/1.1 503.*log_unavailable.*retryable":true/s)
    expect([held[1]!.received(), held[2]!.received()]).toEqual(['', ''])
    expect(await collector.counted('collector_inflight_bytes')).toBe(2 * 33_299)
    // The rest of the one given up is thrown away, and its connection serves on.
    held[0]!.socket.write(`x${goodRequest}`)
    await expect.poll(held[0]!.received).toMatch(/503.*HTTP\/1.1 202/s)
  })

  test('a body that is itself the oldest is the one that gives way', async () => {
    await collector.app.close()
    let now = 1_000_000
    await listen({ maxInFlightBytes: 1000, now: () => now })
    const { socket, received } = await open()
    socket.write(`${head('Content-Length: 2000')}${'x'.repeat(900)}`)
    await expect.poll(() => collector.counted('collector_inflight_bytes')).toBe(900)
    now += 2000
    socket.write('x'.repeat(200))
    await expect.poll(received).toMatch(/HTTP\/1.1 503/)
    expect(await collector.counted('collector_inflight_bytes')).toBe(0)
  })
})
