import { Counter, Histogram, type Registry } from '@platform-events/runtime'

/**
 * What a request to the chat came to: `answered`; `replayed` the same answer again; `refused` for what the caller sent; `failed`, `timeout` the
 * assistant; `cancelled` the caller left; `error` our fault, or Postgres away.
 */
export type ChatOutcome = 'answered' | 'replayed' | 'refused' | 'failed' | 'timeout' | 'cancelled' | 'error'

const OUTCOMES: ChatOutcome[] = ['answered', 'replayed', 'refused', 'failed', 'timeout', 'cancelled', 'error']

export interface ChatMetrics {
  /** @param modelMs how long the assistant took, where it was asked */
  count(outcome: ChatOutcome, modelMs?: number): void
}

export function chatMetrics(registry: Registry): ChatMetrics {
  const registers = [registry]
  const requests = new Counter({
    name: 'marketplace_chat_requests_total',
    help: 'Requests to the chat, by what they came to',
    labelNames: ['outcome'],
    registers,
  })
  // A rate of failures is asked for before the first one.
  for (const outcome of OUTCOMES) requests.inc({ outcome }, 0)
  const duration = new Histogram({
    name: 'marketplace_chat_answer_seconds',
    help: 'Time of the assistant, from the question to the last piece of its answer, or to its failure',
    labelNames: ['outcome'],
    buckets: [0.1, 0.5, 1, 2, 5, 10, 20, 40, 60],
    registers,
  })
  return {
    count(outcome, modelMs) {
      requests.inc({ outcome })
      if (modelMs !== undefined) duration.observe({ outcome }, modelMs / 1000)
    },
  }
}
