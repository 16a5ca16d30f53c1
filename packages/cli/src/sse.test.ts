import { expect, it } from 'vitest'
import { readSse, type SseMessage } from './sse.ts'

it('reads messages however the bytes are cut', async () => {
  const bytes = new TextEncoder().encode(
    'retry: 1000\n\n: live\n\nevent: event\nid: 7\ndata: {"city":"Bogotá"}\n\ndata: a\r\ndata:b\r\n\r\nevent: late\ndata: cut off',
  )
  for (const size of [1, 2, 7, bytes.length]) {
    const messages: SseMessage[] = []
    for await (const message of readSse(inPieces(bytes, size))) messages.push(message)
    expect(messages).toEqual([
      { event: 'event', id: '7', data: '{"city":"Bogotá"}' },
      { event: 'message', id: undefined, data: 'a\nb' },
    ])
  }
})

function inPieces(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.subarray(at, at + size))
      controller.close()
    },
  })
}
