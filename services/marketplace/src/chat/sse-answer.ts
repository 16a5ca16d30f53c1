import type { ServerResponse } from 'node:http'
import { type ErrorBody, REQUEST_ERRORS, RequestError } from '@platform-events/contracts'
import type { FastifyReply } from 'fastify'

/** Proxies close a connection on which nothing moves for a minute; a model may think as long. */
const SILENCE_MS = 15_000

/** One answer as server-sent events (WHATWG HTML, section 9.2). Its head goes out with the first event. */
export interface SseAnswer {
  /** Whether the head is out: an error comes as an event then. */
  readonly begun: boolean
  send(event: 'conversation' | 'delta' | 'done' | 'error', data: unknown): void
  end(): void
}

export function sseAnswer(reply: FastifyReply): SseAnswer {
  let begun = false
  let silence: NodeJS.Timeout | undefined
  const { raw } = reply
  const begin = (): void => {
    begun = true
    reply.hijack()
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // nginx would hold the stream back otherwise.
      'x-accel-buffering': 'no',
    })
    silence = setInterval(() => write(raw, ': still here\n\n'), SILENCE_MS)
    raw.on('close', () => clearInterval(silence))
    // A reader that goes away in the middle of a write is nothing to report.
    raw.on('error', () => raw.destroy())
  }
  return {
    get begun() {
      return begun
    },
    send(event, data) {
      if (!begun) begin()
      silence?.refresh()
      write(raw, `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    },
    end() {
      clearInterval(silence)
      if (!raw.destroyed) raw.end()
    },
  }
}

/** The same body as an answer of that status would have. What is no RequestError is told without its text: that is for the log. */
export function errorBodyOf(error: unknown): ErrorBody {
  const { code, message } =
    error instanceof RequestError ? error : new RequestError('internal', 'Something failed on our side.')
  const { help, retryable } = REQUEST_ERRORS[code]
  return { code, message, help, retryable }
}

function write(raw: ServerResponse, text: string): void {
  if (!raw.destroyed && !raw.writableEnded) raw.write(text)
}
