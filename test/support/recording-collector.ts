import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { IngestAnswer, WireEvent } from '@platform-events/contracts'

interface RecordedRequest {
  method: string
  headers: IncomingHttpHeaders
  body: string
}

interface Reply {
  status: number
  headers?: Record<string, string>
  body?: unknown
  /** Not before this has resolved. */
  after?: Promise<unknown>
}

export interface RecordingCollector {
  /** `http://127.0.0.1:<port>` */
  url: string
  /** Every request to /v1/events, in order of arrival, preflights included. */
  requests: RecordedRequest[]
  /** The events of all requests that were answered with a 2xx, in order. */
  accepted(): WireEvent[]
  /** What the next requests are answered, one each; when it is empty, 202 with everything accepted. */
  replies: Reply[]
  /** Served beside /v1/events: the body by path; HTML, or JavaScript where the path ends in .js. */
  pages: Map<string, string>
  close(): Promise<void>
}

/** A server that answers as the collector does and remembers what it was sent, byte for byte. */
export async function startRecordingCollector(): Promise<RecordingCollector> {
  const requests: RecordedRequest[] = []
  const accepted: WireEvent[] = []
  const replies: Reply[] = []
  const pages = new Map<string, string>()

  const server = createServer(async (request, response) => {
    const path = (request.url ?? '/').split('?')[0]!
    if (path !== '/v1/events') {
      const page = pages.get(path)
      const type = path.endsWith('.js') ? 'text/javascript' : 'text/html'
      response.writeHead(page === undefined ? 404 : 200, { 'content-type': `${type}; charset=utf-8` })
      return response.end(page)
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    requests.push({ method: request.method ?? '', headers: request.headers, body })
    const cors = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'retry-after' }
    if (request.method === 'OPTIONS') return response.writeHead(204, cors).end()
    const reply: Reply = replies.shift() ?? { status: 202 }
    await reply.after
    if (reply.status >= 200 && reply.status < 300) accepted.push(...eventsOf(body))
    response.writeHead(reply.status, { ...cors, 'content-type': 'application/json', ...reply.headers })
    response.end(JSON.stringify(reply.body ?? answerTo(body)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    accepted: () => accepted,
    replies,
    pages,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The events in a request's body. */
export function eventsOf(body: string): WireEvent[] {
  return (JSON.parse(body) as { batch: WireEvent[] }).batch
}

function answerTo(body: string): IngestAnswer {
  return { accepted: eventsOf(body).length, rejected: [], server_time: new Date().toISOString() }
}
