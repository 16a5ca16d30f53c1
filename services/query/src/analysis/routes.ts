import { RequestError } from '@platform-events/contracts'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Analysis } from './analysis.ts'
import { type AnsweringOptions, answerQuestion } from './answering.ts'
import { prefersCsv } from './csv.ts'

export interface AnalysisRoutesOptions extends AnsweringOptions {
  /** Who asks, as they were authenticated. */
  askerOf(request: FastifyRequest): string
  /** What GET answers where there is no ?q=, by path. */
  withoutQuestion?: Record<string, (request: FastifyRequest) => Promise<object>>
}

const BODY_BYTES = 64 * 1024

/** POST /v1/<path> with a question as JSON, and GET /v1/<path>?q=<the same>, for each of the analyses. */
export function analysisRoutes(analyses: Analysis[], options: AnalysisRoutesOptions): FastifyPluginAsync {
  return async (app) => {
    for (const one of analyses) {
      const path = `/v1/${one.path}`
      const withoutQuestion = options.withoutQuestion?.[one.path]
      app.post(path, { bodyLimit: BODY_BYTES }, (request, reply) => answer(one, options, request.body, request, reply))
      app.get(path, (request, reply) =>
        withoutQuestion !== undefined && !Object.hasOwn(request.query as object, 'q')
          ? withoutQuestion(request)
          : answer(one, options, questionOf(request.query), request, reply),
      )
    }
  }
}

/** The question in the query string. @throws RequestError invalid_query, invalid_json */
function questionOf(query: unknown): unknown {
  const { q, ...others } = query as Record<string, unknown>
  if (typeof q !== 'string' || Object.keys(others).length > 0)
    throw new RequestError('invalid_query', 'wants ?q=, the question as JSON, URL-encoded, and nothing else')
  try {
    return JSON.parse(q)
  } catch (cause) {
    throw new RequestError('invalid_json', 'q is no JSON', { cause })
  }
}

async function answer(
  one: Analysis,
  options: AnalysisRoutesOptions,
  input: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { headers } = request
  const form = prefersCsv(headers.accept) ? 'csv' : 'json'
  const signal = untilGone(reply)
  const question = {
    input,
    form,
    ifNoneMatch: headers['if-none-match'],
    asker: options.askerOf(request),
    signal,
  } as const
  const found = await answerQuestion(one, options, question).catch((error: unknown) => {
    if (!signal.aborted) throw error
    return undefined
  })
  // Nobody is there to be told anything.
  if (found === undefined) return reply.hijack()
  reply.header('vary', 'accept')
  if (found.etag !== undefined) reply.header('etag', found.etag).header('cache-control', 'private, no-cache')
  if (found.body === undefined) return reply.code(304).send()
  return reply.type(TYPES[form]).send(found.body)
}

const TYPES = { json: 'application/json; charset=utf-8', csv: 'text/csv; charset=utf-8; header=present' }

/** Aborted when the client closes its connection before it has its answer. */
function untilGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new Error('the client went away'))
  })
  return gone.signal
}
