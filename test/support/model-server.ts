import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The body of `POST /chat/completions`, as far as it is looked at. */
interface CompletionRequest {
  model: string
  stream: boolean
  stream_options?: { include_usage: boolean }
  messages: { role: string; content: string }[]
}

/** What the server does with one request. */
export type Behaviour = (response: ServerResponse, request: CompletionRequest) => void | Promise<void>

export interface ModelServer {
  /** For ASSISTANT_URL. */
  url: string
  requests: { headers: IncomingMessage['headers']; body: CompletionRequest }[]
  /** How many requests their client gave up before they were answered whole. */
  readonly givenUp: number
  /** For each request from here on. */
  behave(behaviour: Behaviour): void
  stop(): Promise<void>
}

/** A server that speaks OpenAI's protocol, streams alone, and refuses as the real one does what that would refuse. */
export async function startModelServer(apiKey?: string): Promise<ModelServer> {
  let behaviour: Behaviour = (response) => answer(response, ['Hello', ' there'])
  let givenUp = 0
  const requests: ModelServer['requests'] = []
  const server = createServer((request, response) => {
    response.on('close', () => {
      if (!response.writableFinished) givenUp += 1
    })
    void read(request).then(async (text) => {
      if (apiKey !== undefined && request.headers.authorization !== `Bearer ${apiKey}`)
        return refuse(response, 401, 'Incorrect API key provided.', 'invalid_api_key')
      if (request.method !== 'POST' || request.url !== '/v1/chat/completions')
        return refuse(response, 404, `Invalid URL (${request.method} ${request.url})`, null)
      const body = JSON.parse(text) as CompletionRequest
      const wrong = problemOf(body)
      if (wrong !== undefined) return refuse(response, 400, wrong, 'invalid_request_error')
      requests.push({ headers: request.headers, body })
      await behaviour(response, body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    get givenUp() {
      return givenUp
    },
    behave(next) {
      behaviour = next
    },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Begins a stream as the real server does, with a chunk that brings the role and no content. */
export function begin(response: ServerResponse): ServerResponse {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  response.write(event(chunk({ role: 'assistant', content: '', refusal: null })))
  return response
}

/** Answers with these pieces of content, one chunk each, then the end, the usage and [DONE]. */
export function answer(response: ServerResponse, pieces: string[]): void {
  begin(response)
  for (const content of pieces) response.write(event(chunk({ content })))
  finish(response)
}

/** Ends an answer that was begun. */
export function finish(response: ServerResponse, reason = 'stop'): void {
  response.write(event(chunk({}, reason)))
  response.write(event({ ...FRAME, choices: [], usage: USAGE }))
  response.end('data: [DONE]\n\n')
}

/** One chunk of a completion. */
export function chunk(delta: object, finishReason: string | null = null): object {
  return { ...FRAME, choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }], usage: null }
}

/** One server-sent event. */
export function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

/** Refuses as the real server does. */
export function refuse(response: ServerResponse, status: number, message: string, code: string | null): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ error: { message, type: 'invalid_request_error', param: null, code } }))
}

export const USAGE = { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 }

const FRAME = {
  id: 'chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT',
  object: 'chat.completion.chunk',
  created: 1_741_569_952,
  model: 'gpt-4o-mini-2024-07-18',
  system_fingerprint: 'fp_44709d6fcb',
}

function problemOf({ model, stream, messages }: CompletionRequest): string | undefined {
  if (typeof model !== 'string' || model === '') return 'you must provide a model parameter'
  if (stream !== true) return 'this server answers streams alone'
  if (!Array.isArray(messages) || messages.length === 0) return "[] is too short - 'messages'"
  const bad = messages.findIndex(
    ({ role, content }) =>
      !['system', 'user', 'assistant'].includes(role) || typeof content !== 'string' || content === '',
  )
  return bad < 0 ? undefined : `Invalid value: 'messages[${bad}]'`
}

async function read(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}
