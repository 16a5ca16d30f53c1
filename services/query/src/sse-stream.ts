import type { ServerResponse } from 'node:http'

/** A reader that has let this much pile up is dropped, so that it costs neither memory nor the others' time. */
const BUFFERED_BYTES = 512 * 1024

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // nginx would hold the stream back otherwise.
  'x-accel-buffering': 'no',
}

/** One answer as a stream of server-sent events (WHATWG HTML, section 9.2). Its headers go out with the first thing sent. */
export interface SseStream {
  /** False once the stream is over: the reader left, was dropped, or end() was called. */
  readonly open: boolean
  /** Data is one line: JSON. */
  send(event: string, data: unknown, id?: string): void
  comment(text: string): void
  end(): void
}

/**
 * @param onClose called once, when the stream is over
 * @param onDrop called before it where the reader was too slow
 */
export function openSseStream(response: ServerResponse, onClose: () => void, onDrop: () => void): SseStream {
  let open = true
  response.on('close', () => {
    open = false
    onClose()
  })
  // A reader that goes away in the middle of a write is nothing to report.
  response.on('error', () => response.destroy())

  function write(text: string): void {
    if (!open) return
    if (!response.headersSent) {
      response.writeHead(200, HEADERS)
      response.write('retry: 1000\n\n')
    }
    if (response.writableLength > BUFFERED_BYTES) {
      open = false
      onDrop()
      response.destroy()
      return
    }
    response.write(text)
  }
  return {
    get open() {
      return open
    },
    send(event, data, id) {
      write(`event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`)
    },
    comment(text) {
      write(`: ${text}\n\n`)
    },
    end() {
      if (!open) return
      open = false
      response.end()
    },
  }
}
