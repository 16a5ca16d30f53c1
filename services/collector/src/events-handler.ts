import { randomUUID } from 'node:crypto'
import { type IngestAnswer, mayNeedCleaning, RequestError, uuidv7Generator } from '@platform-events/contracts'
import { type EventLog, type LogRecord, LogUnavailableError } from '@platform-events/event-log'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { readBody } from './body.ts'
import type { CollectorMetrics } from './collector-metrics.ts'
import type { CollectorOptions } from './collector-options.ts'
import { checkOrigin } from './cors.ts'
import { credentialsOf } from './credentials.ts'
import { type Envelope, parseEnvelope } from './envelope.ts'
import { type InFlightBytes, InFlightClaim } from './in-flight.ts'
import { type Ingested, ingest } from './ingest.ts'
import { checkMediaType } from './media-type.ts'
import { RateLimit } from './rate-limit.ts'
import { RecordBuilder } from './records.ts'
import type { KeyHolder } from './source.ts'
import { userIdRule } from './user-ids.ts'

interface Prepared {
  sourceId: number
  receivedAt: string
  records: LogRecord[]
  result: Ingested
}

/** Takes a request with events from its bytes to its answer. */
export function eventsHandler(options: CollectorOptions, metrics: CollectorMetrics, inFlight: InFlightBytes) {
  const now = options.now ?? Date.now
  const newId = uuidv7Generator(now)
  const rateLimit = new RateLimit()

  return async function post(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const claim = new InFlightClaim(inFlight)
    try {
      const { records, result, sourceId, receivedAt } = await prepare(request, reply, claim)
      try {
        await append(options.log, records)
      } catch (error) {
        metrics.events.inc({ outcome: 'refused' }, result.accepted)
        throw error
      }
      countResult(metrics, result)
      options.received.add(sourceId, receivedAt, result)
      return reply.code(202).send(answerOf(result, now()))
    } finally {
      claim.release()
    }
  }

  /** Apart from `post`, so that the body and what was parsed from it can be forgotten while the log is at work. */
  async function prepare(request: FastifyRequest, reply: FastifyReply, claim: InFlightClaim): Promise<Prepared> {
    const receivedAtMs = now()
    checkMediaType(request.headers['content-type'])
    const text = await readBody(request.raw, claim)
    const { envelope, holder, userToken } = await identify(text, request)
    checkOrigin(request, reply, holder)
    limitRate(holder, envelope.events.length, receivedAtMs)
    const records = new RecordBuilder()
    const result = ingest(envelope.events, {
      context: { receivedAtMs, sentAtMs: envelope.sentAtMs, newId },
      userIds: await userIdRule(holder, userToken, options.verifyJwt),
      clean: mayNeedCleaning(text),
      records,
    })
    const { sourceId } = holder.source
    const receivedAt = new Date(receivedAtMs).toISOString()
    return { sourceId, receivedAt, records: records.finish({ sourceId, batchId: randomUUID(), receivedAt }), result }
  }

  async function identify(text: string, request: FastifyRequest) {
    let envelope: Envelope | null = parseEnvelope(text)
    const { writeKey, userToken } = credentialsOf(request, envelope)
    if (writeKey === undefined) throw new RequestError('missing_write_key', 'The request has no write key.')
    const found = options.sources.find(writeKey)
    // An unknown key waits for Postgres, and JSON takes up to twenty times the memory of its text: that is parsed again.
    if (found instanceof Promise) envelope = null
    const holder = await found
    if (holder === null) throw new RequestError('unknown_write_key', 'The write key is unknown.')
    return { envelope: envelope ?? parseEnvelope(text), holder, userToken }
  }

  function limitRate({ source }: KeyHolder, events: number, nowMs: number): void {
    try {
      rateLimit.take(source, events, nowMs)
    } catch (error) {
      metrics.events.inc({ outcome: 'refused' }, events)
      throw error
    }
  }
}

async function append(log: Pick<EventLog, 'append'>, records: LogRecord[]): Promise<void> {
  if (records.length === 0) return
  try {
    await log.append(records)
  } catch (cause) {
    if (!(cause instanceof LogUnavailableError)) throw cause
    throw new RequestError('log_unavailable', 'The event log takes no events now.', { cause, retryAfterSeconds: 1 })
  }
}

function countResult(metrics: CollectorMetrics, result: Ingested): void {
  metrics.events.inc({ outcome: 'accepted' }, result.accepted)
  if (result.duplicates > 0) metrics.events.inc({ outcome: 'duplicate' }, result.duplicates)
  if (result.cleanedStrings > 0) metrics.cleanedStrings.inc(result.cleanedStrings)
  if (result.userIdsDropped > 0) metrics.userIdsDropped.inc(result.userIdsDropped)
  if (result.rejected.length > 0) metrics.events.inc({ outcome: 'rejected' }, result.rejected.length)
  for (const { code } of result.rejected) metrics.rejected.inc({ code })
}

function answerOf(result: Ingested, nowMs: number): IngestAnswer {
  return {
    accepted: result.accepted,
    ...(result.duplicates > 0 && { duplicates: result.duplicates }),
    ...(result.userIdsDropped > 0 && { user_ids_dropped: result.userIdsDropped }),
    rejected: result.rejected,
    server_time: new Date(nowMs).toISOString(),
  }
}
