import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

let server: Server
let proxy: TcpProxy
let requests = 0

beforeEach(async () => {
  requests = 0
  server = createServer((_, reply) => {
    requests++
    reply.end('here')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  proxy = await startTcpProxy(() => [port])
})

afterEach(async () => {
  await proxy.close()
  server.closeAllConnections()
  server.close()
})

const ask = (timeoutMs = 5000): Promise<string> =>
  fetch(`http://127.0.0.1:${proxy.port}`, { signal: AbortSignal.timeout(timeoutMs) }).then((answer) => answer.text())

test('passes requests and answers on, late when slow', async () => {
  expect(await ask()).toBe('here')
  proxy.slow(100)
  const begun = Date.now()
  expect(await ask()).toBe('here')
  expect(Date.now() - begun).toBeGreaterThanOrEqual(190)
})

test('without answers the request arrives and the client sees a broken connection', async () => {
  proxy.noAnswer(true)
  await expect(ask()).rejects.toThrow()
  expect(requests).toBe(1)
  proxy.noAnswer(false)
  expect(await ask()).toBe('here')
})

test('silent, nothing gets through and nothing breaks; afterwards all goes on', async () => {
  proxy.silent(true)
  await expect(ask(300)).rejects.toThrow('timeout')
  expect(requests).toBe(0)
  proxy.silent(false)
  expect(await ask()).toBe('here')
})

test('a cut breaks what is under way', async () => {
  server.removeAllListeners('request')
  server.on('request', () => requests++)
  const asked = expect(ask()).rejects.toThrow('fetch failed')
  await vi.waitFor(() => expect(requests).toBe(1))
  expect(proxy.cut()).toBe(1)
  await asked
})
