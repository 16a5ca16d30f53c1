import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type ErrorBody, REQUEST_ERRORS, RequestError, type RequestErrorCode } from '@platform-events/contracts'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import { checkHealth, type HealthCheck } from './health.ts'
import type { Component } from './lifecycle.ts'
import type { Logger } from './logger.ts'
import type { Registry } from './metrics.ts'
import { endUnusedConnections } from './unused-connections.ts'

export interface HttpOptions {
  logger: Logger
  metrics: Registry
  /** What /readyz asks, by the name of the part. */
  checks: Record<string, HealthCheck>
  /**
   * What /readyz tells of besides, without letting it decide: parts behind those that answer requests, so that whoever routes by
   * /readyz goes on sending what they can do later.
   */
  behind?: Record<string, HealthCheck>
  /** Who may say by X-Forwarded-For where a request comes from: a number of proxies, or their addresses; nobody unless told. */
  trustProxy?: string | number | undefined
}

/**
 * The HTTP app that every service hangs its routes on: /livez, /readyz, /metrics, and every error as an `ErrorBody`
 * from the closed table of codes. Nothing listens yet, so that a test can inject into it.
 */
export function buildHttp(options: HttpOptions): FastifyInstance {
  const app = Fastify({
    loggerInstance: options.logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: 'idle',
    trustProxy: trusted(options.trustProxy),
    requestTimeout: 30_000,
    // What comes in on an open connection while we close is still answered, and the connection then closed.
    return503OnClosing: false,
    // Fastify's own JSON parser refuses a whole body for one __proto__ key; ours reads raw bytes.
    onProtoPoisoning: 'ignore',
    onConstructorPoisoning: 'ignore',
    // A path that does not decode never gets to the routes, nor to their error handler.
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply),
    clientErrorHandler: refuseBrokenRequest,
  })
  endUnusedConnections(app)
  closeAfterLastAnswer(app)
  app.setErrorHandler(answerError)
  app.setNotFoundHandler((request) => {
    throw new RequestError('not_found', `There is nothing at ${request.method} ${request.url.split('?')[0]}.`)
  })
  app.get('/livez', async () => ({ ok: true }))
  app.get('/readyz', async (_request, reply) => {
    const health = await checkHealth(options.checks, options.behind)
    return reply.code(health.ok ? 200 : 503).send(health)
  })
  app.get('/metrics', async (_request, reply) =>
    reply.type(options.metrics.contentType).send(await options.metrics.metrics()),
  )
  return app
}

/** As many of the addresses nearest to us as there are proxies. */
function trusted(proxies: string | number | undefined): string | false | ((address: string, hop: number) => boolean) {
  return typeof proxies === 'number' ? (_address, hop) => hop < proxies : (proxies ?? false)
}

/** Longer than the collector takes for an answer while Kafka is freshly away. */
const DRAIN_MS = 3000
const SWEEP_MS = 20

/** Listens while it runs; its drain takes no new requests and lets those under way end, which they must within 3 s. */
export function httpComponent(
  app: FastifyInstance,
  address: { host: string; port: number },
  drainMs = DRAIN_MS,
): Component {
  return {
    name: 'http',
    async start() {
      await app.listen(address)
    },
    async drain() {
      // Whoever sends a body that does not end has been promised nothing yet.
      const impatience = setTimeout(() => app.server.closeAllConnections(), drainMs)
      // An answer whose head was out already keeps its connection alive: a balancer's would hold up the end for a minute.
      const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS)
      await app.close().finally(() => {
        clearTimeout(impatience)
        clearInterval(sweep)
      })
    },
    async stop() {},
  }
}

/** Fastify says so only of requests that come while it closes, not of those that it has in hand then. */
function closeAfterLastAnswer(app: FastifyInstance): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onSend', async (_request, reply) => {
    if (closing) reply.header('connection', 'close')
  })
}

function answerError(error: FastifyError | RequestError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = error instanceof RequestError ? error : fromFastify(error)
  if (known.code === 'internal') request.log.error({ err: error, reqId: request.id }, 'request failed')
  const { status } = REQUEST_ERRORS[known.code]
  if (known.retryAfterSeconds !== undefined || status === 429 || status === 503)
    reply.header('retry-after', Math.max(1, Math.ceil(known.retryAfterSeconds ?? 1)))
  return reply.code(status).send(errorBody(known.code, known.message))
}

function errorBody(code: RequestErrorCode, message: string): ErrorBody {
  const { help, retryable } = REQUEST_ERRORS[code]
  return { code, message, help, retryable }
}

/** What Node's parser refuses, or what took too long, has no request and no reply: the bytes of the answer are written by hand. */
function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const code = BROKEN_REQUESTS[error.code ?? ''] ?? 'invalid_http'
  const { status } = REQUEST_ERRORS[code]
  const body = JSON.stringify(
    errorBody(code, 'The request is not one that HTTP/1.1 allows, or did not come to its end.'),
  )
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  socket.destroySoon()
}

const BROKEN_REQUESTS: Record<string, RequestErrorCode> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** Fastify's own errors, by its codes, as ours. */
function fromFastify(error: FastifyError): RequestError {
  return new RequestError(codeOf(error), messageOf(error), { cause: error })
}

function codeOf(error: FastifyError): RequestErrorCode {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return 'payload_too_large'
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return 'unsupported_media_type'
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return 'invalid_json'
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return 'invalid_encoding'
    case 'FST_ERR_VALIDATION':
      return 'invalid_query'
    default:
      return error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500
        ? 'invalid_query'
        : 'internal'
  }
}

/** The text of an internal error is for the log only: it may name hosts or statements. */
function messageOf(error: FastifyError): string {
  return codeOf(error) === 'internal' ? 'Something failed on our side.' : error.message
}
