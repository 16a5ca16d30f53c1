import { RequestError } from '@platform-events/contracts'
import type { Pool } from '@platform-events/postgres'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { AskerQueue } from '../asker-queue.ts'
import type { QueryMetrics } from '../metrics.ts'
import { parse } from '../parse.ts'
import type { SegmentCache } from '../slices/segment-cache.ts'
import { readSlices } from '../slices/source.ts'
import { inSnapshot } from '../snapshot.ts'
import type { WalkPool } from '../walk/pool.ts'
import type { Analysis } from './analysis.ts'
import { closedVersions, etagOf, matchesEtag } from './closed.ts'
import { csvOf, prefersCsv } from './csv.ts'
import { untilGone } from './gone.ts'

export interface AnalysisOptions {
  pool: Pool
  queue: AskerQueue
  walks: WalkPool
  cache: SegmentCache
  metrics: QueryMetrics
  /** Milliseconds since 1970. */
  clock: () => number
}

const BODY_BYTES = 64 * 1024
/** From its turn to its answer. */
const ANSWER_MS = 20_000

/** POST /v1/<path> with a question as JSON, and GET /v1/<path>?q=<the same>, for each of the analyses. */
export function analysisRoutes(analyses: Analysis[], options: AnalysisOptions): FastifyPluginAsync {
  return async (app) => {
    for (const one of analyses) {
      app.post(`/v1/${one.path}`, { bodyLimit: BODY_BYTES }, (request, reply) =>
        answer(one, options, request.body, request, reply),
      )
      app.get(`/v1/${one.path}`, (request, reply) => answer(one, options, questionOf(request.query), request, reply))
    }
  }
}

/** The question in the query string. @throws RequestError invalid_query, invalid_json */
export function questionOf(query: unknown): unknown {
  const { q, ...others } = query as Record<string, unknown>
  if (typeof q !== 'string' || Object.keys(others).length > 0)
    throw new RequestError('invalid_query', 'wants ?q=, the question as JSON, URL-encoded, and nothing else')
  try {
    return JSON.parse(q)
  } catch (cause) {
    throw new RequestError('invalid_json', 'q is no JSON', { cause })
  }
}

export async function answer(
  one: Analysis,
  options: AnalysisOptions,
  input: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { pool, queue, walks, cache, metrics } = options
  const asked = parse(one.request, input)
  const nowMs = options.clock()
  const range = one.range(asked, nowMs)
  const csv = prefersCsv(request.headers.accept)
  const gone = untilGone(reply)
  reply.header('vary', 'accept')

  return await queue.run(askerOf(request), gone, () =>
    metrics.timed(one.path, async () => {
      const signal = AbortSignal.any([gone, timeLimit(ANSWER_MS)])
      const found = await inSnapshot(pool, signal, async (client) => {
        const versions = await closedVersions(client, range)
        const etag =
          versions === null ? undefined : etagOf(one.path, JSON.stringify(asked), csv ? 'csv' : 'json', versions)
        if (etag !== undefined) reply.header('etag', etag).header('cache-control', 'private, no-cache')
        if (etag !== undefined && matchesEtag(request.headers['if-none-match'], etag)) return undefined
        const read = readSlices.bind(undefined, client, cache)
        return {
          answer: await one.run(
            { client, nowMs, read, walk: (question, slices) => walks.walk(question, slices, signal) },
            asked,
          ),
        }
      })
      if (found === undefined) return reply.code(304).send()
      if (!csv) return reply.send(found.answer)
      return reply
        .type('text/csv; charset=utf-8; header=present')
        .send(csvOf(one.csv.columns, one.csv.rows(found.answer)))
    }),
  )
}

/** Whose turn it is: everyone who bears the same credentials is one asker. */
function askerOf({ headers }: FastifyRequest): string {
  return headers.authorization ?? headers.cookie ?? ''
}

function timeLimit(ms: number): AbortSignal {
  const controller = new AbortController()
  const timer = setTimeout(
    () => controller.abort(new RequestError('query_timeout', 'This question took too long to answer.')),
    ms,
  )
  timer.unref()
  return controller.signal
}
