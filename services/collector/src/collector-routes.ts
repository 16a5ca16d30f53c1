import { randomUUID } from 'node:crypto'
import { type IngestAnswer, mayNeedCleaning, RequestError, uuidv7Generator } from '@platform-events/contracts'
import { type EventLog, LogUnavailableError } from '@platform-events/event-log'
import type { Registry, VerifyPlatformJwt } from '@platform-events/runtime'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { readBody } from './body.ts'
import { collectorMetrics } from './collector-metrics.ts'
import { allowReading, answerPreflight, checkOrigin } from './cors.ts'
import { credentialsOf } from './credentials.ts'
import { parseEnvelope } from './envelope.ts'
import { type InFlight, InFlightBytes } from './in-flight.ts'
import { type Ingested, ingest } from './ingest.ts'
import { RateLimit } from './rate-limit.ts'
import type { KeyHolder, Sources } from './source.ts'
import { userIdRule } from './user-ids.ts'

export interface CollectorOptions {
  log: Pick<EventLog, 'append'>
  sources: Sources
  verifyJwt: VerifyPlatformJwt
  metrics: Registry
  /** What requests may hold at once before they get a 503. */
  maxInFlightBytes?: number
  /** Milliseconds since 1970. */
  now?: () => number
}

declare module 'fastify' {
  interface FastifyRequest {
    inFlight: InFlight | null
  }
}

const MAX_IN_FLIGHT_BYTES = 32 * 1024 * 1024

/** POST /v1/events, and what browsers ask before it. Answers 202 only after the log has every event accepted. */
export function collectorRoutes(options: CollectorOptions): FastifyPluginAsync {
  const now = options.now ?? Date.now
  const newId = uuidv7Generator(now)
  const inFlight = new InFlightBytes(options.maxInFlightBytes ?? MAX_IN_FLIGHT_BYTES)
  const rateLimit = new RateLimit()
  const metrics = collectorMetrics(options.metrics, () => inFlight.bytes)

  async function post(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const text = request.body as string
    const receivedAtMs = now()
    const envelope = parseEnvelope(text)
    const { writeKey, userToken } = credentialsOf(request)
    const holder = await keyHolder(writeKey ?? envelope.writeKey, options.sources)
    checkOrigin(request, reply, holder)
    rateLimit.take(holder.source, envelope.events.length, receivedAtMs)
    const userIds = await userIdRule(holder, envelope.userToken ?? userToken, options.verifyJwt)
    const result = ingest(envelope.events, {
      context: { receivedAtMs, sentAtMs: envelope.sentAtMs, newId },
      userIds,
      clean: mayNeedCleaning(text),
    })
    await append(result, holder, receivedAtMs)
    count(result)
    return reply.code(202).send(answerOf(result, now()))
  }

  async function append(result: Ingested, holder: KeyHolder, receivedAtMs: number): Promise<void> {
    if (result.accepted === 0) return
    const records = result.records.finish({
      sourceId: holder.source.sourceId,
      batchId: randomUUID(),
      receivedAt: new Date(receivedAtMs).toISOString(),
    })
    try {
      await options.log.append(records)
    } catch (error) {
      if (!(error instanceof LogUnavailableError)) throw error
      throw new RequestError('log_unavailable', 'The event log does not take events now.', {
        cause: error,
        retryAfterSeconds: 1,
      })
    }
  }

  function count(result: Ingested): void {
    metrics.events.inc({ outcome: 'accepted' }, result.accepted)
    if (result.duplicates > 0) metrics.events.inc({ outcome: 'duplicate' }, result.duplicates)
    if (result.cleanedStrings > 0) metrics.cleanedStrings.inc(result.cleanedStrings)
    if (result.userIdsDropped > 0) metrics.userIdsDropped.inc(result.userIdsDropped)
    if (result.rejected.length > 0) metrics.events.inc({ outcome: 'rejected' }, result.rejected.length)
    for (const { code } of result.rejected) metrics.rejected.inc({ code })
  }

  return async (app) => {
    app.decorateRequest('inFlight', null)
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', async (request: FastifyRequest) => {
      checkMediaType(request.headers['content-type'])
      request.inFlight = inFlight.begin()
      return readBody(request.raw, request.inFlight)
    })
    app.addHook('onRequest', async (request, reply) => allowReading(request, reply))
    app.addHook('onResponse', async (request, reply) => {
      request.inFlight?.release()
      metrics.seconds.observe({ status: reply.statusCode }, reply.elapsedTime / 1000)
    })
    app.post('/v1/events', post)
    app.options('/v1/events', async (request, reply) => answerPreflight(request, reply))
    app.route({
      method: ['GET', 'PUT', 'PATCH', 'DELETE'],
      url: '/v1/events',
      handler: async (request, reply) => {
        reply.header('allow', 'POST, OPTIONS')
        throw new RequestError('method_not_allowed', `${request.method} does not work here: send events by POST.`)
      },
    })
  }
}

async function keyHolder(key: string | undefined, sources: Sources): Promise<KeyHolder> {
  if (key === undefined || key === '') throw new RequestError('missing_write_key', 'The request has no write key.')
  const holder = await sources.find(key)
  if (holder === null) throw new RequestError('unknown_write_key', 'The write key is unknown.')
  return holder
}

/** JSON, or text/plain (which browsers send without asking first), or nothing said at all. */
function checkMediaType(header: string | undefined): void {
  if (header === undefined || header.trim() === '') return
  const [type = '', ...parameters] = header.toLowerCase().split(';')
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('charset='))
  const known = type.trim() === 'application/json' || type.trim() === 'text/plain'
  if (!known || !(charset === undefined || /^charset="?(utf-?8|us-ascii)"?$/.test(charset)))
    throw new RequestError('unsupported_media_type', `Content-Type ${header.slice(0, 100)} is not supported.`)
}

function answerOf(result: Ingested, nowMs: number): IngestAnswer {
  return {
    accepted: result.accepted,
    ...(result.duplicates > 0 ? { duplicates: result.duplicates } : {}),
    ...(result.userIdsDropped > 0 ? { user_ids_dropped: result.userIdsDropped } : {}),
    rejected: result.rejected,
    server_time: new Date(nowMs).toISOString(),
  }
}
