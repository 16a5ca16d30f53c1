import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, vi } from 'vitest'
import { openSseStream, type SseStream } from './sse-stream.ts'

it('drops a reader that does not read, and no sooner than its buffer is full', async () => {
  const onDrop = vi.fn()
  const onClose = vi.fn()
  let stream: SseStream | undefined
  const server = createServer((_request, response) => {
    stream = openSseStream(response, onClose, onDrop)
    stream.comment('live')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const answer = await new Promise<IncomingMessage>((resolve) => {
    get({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }, resolve).on('error', () => undefined)
  })
  answer.on('error', () => undefined).pause()

  stream!.send('event', { a: 1 }, 'x')
  expect(onDrop).not.toHaveBeenCalled()
  const data = 'x'.repeat(64 * 1024)
  for (let i = 0; i < 500 && stream!.open; i++) {
    stream!.send('event', data)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(onDrop).toHaveBeenCalledTimes(1)
  await vi.waitFor(() => expect(onClose).toHaveBeenCalledTimes(1))
  stream!.send('event', data) // nothing, and no error
  server.close()
})
