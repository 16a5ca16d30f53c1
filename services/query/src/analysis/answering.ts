import { RequestError } from '@platform-events/contracts'
import type { Pool } from '@platform-events/postgres'
import type { AskerQueue } from '../asker-queue.ts'
import type { QueryMetrics } from '../metrics.ts'
import { parse } from '../parse.ts'
import type { SegmentCache } from '../slices/segment-cache.ts'
import { readSlices } from '../slices/source.ts'
import { inSnapshot } from '../snapshot.ts'
import type { WalkPool } from '../walk/pool.ts'
import type { Analysis } from './analysis.ts'
import { closedVersions, etagOf, matchesEtag } from './closed.ts'
import { csvOf } from './csv.ts'

export interface AnsweringOptions {
  pool: Pool
  queue: AskerQueue
  walks: WalkPool
  cache: SegmentCache
  metrics: QueryMetrics
  /** Milliseconds since 1970. */
  clock: () => number
}

export interface Question {
  /** As it came: not checked yet. */
  input: unknown
  form: 'json' | 'csv'
  /** The header of that name. */
  ifNoneMatch: string | undefined
  /** Whose turn it takes. */
  asker: string
  /** Aborted when nobody waits for the answer any more. */
  signal: AbortSignal
}

export interface Answer {
  /** Absent where the same question may have another answer later. */
  etag: string | undefined
  /** Undefined where the asker has it already, by its ETag; text where CSV was asked for. */
  body: unknown
}

/** From its turn to its answer. */
const ANSWER_MS = 20_000

/**
 * Answers a question when its turn has come, all of it from one snapshot.
 *
 * @throws RequestError invalid_query, overloaded, query_timeout, database_unavailable; the signal's reason
 */
export async function answerQuestion(one: Analysis, options: AnsweringOptions, question: Question): Promise<Answer> {
  const { pool, queue, walks, cache, metrics, clock } = options
  const asked = parse(one.request, question.input)
  const nowMs = clock()
  const answer = (signal: AbortSignal): Promise<Answer> =>
    inSnapshot(pool, signal, async (client) => {
      const range = one.range(asked, nowMs)
      const versions = range === null ? null : await closedVersions(client, range, nowMs)
      const etag = versions === null ? undefined : etagOf(one.path, JSON.stringify(asked), question.form, versions)
      if (etag !== undefined && matchesEtag(question.ifNoneMatch, etag)) return { etag, body: undefined }
      const found = await one.run(
        {
          ...{ client, nowMs },
          read: (wanted) => readSlices(client, cache, wanted),
          walk: (walked, slices) => walks.walk(walked, slices, signal),
        },
        asked,
      )
      return { etag, body: question.form === 'csv' ? csvOf(one.csv.columns, one.csv.rows(found)) : found }
    })
  return await queue.run(question.asker, question.signal, () =>
    metrics.timed(one.path, () => withinTime(ANSWER_MS, question.signal, answer)),
  )
}

async function withinTime<T>(ms: number, signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController()
  const timer = setTimeout(
    () => late.abort(new RequestError('query_timeout', 'This question took too long to answer.')),
    ms,
  )
  try {
    return await run(AbortSignal.any([signal, late.signal]))
  } finally {
    clearTimeout(timer)
  }
}
