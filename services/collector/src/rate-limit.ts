import { RequestError } from '@platform-events/contracts'
import type { Source } from './source.ts'

interface Bucket {
  tokens: number
  filledAtMs: number
}

/** What a source may save up while it is quiet. */
const BURST_SECONDS = 5

/**
 * A token bucket for each source, an event a token. A request that meets a bucket with anything in it passes whole and may leave it
 * in debt; so a batch larger than the bucket passes too, and the ones after it wait the longer.
 */
export class RateLimit {
  readonly #buckets = new Map<number, Bucket>()

  /** @throws RequestError rate_limited, with the seconds until the debt is paid */
  take(source: Source, events: number, nowMs: number): void {
    const rate = source.eventsPerSecond
    if (rate === null || events === 0) return
    const bucket = this.#fill(source.sourceId, rate, nowMs)
    if (bucket.tokens <= 0)
      throw new RequestError('rate_limited', `This source may send ${rate} events a second.`, {
        retryAfterSeconds: Math.max(1, Math.ceil((1 - bucket.tokens) / rate)),
      })
    bucket.tokens -= events
  }

  #fill(sourceId: number, rate: number, nowMs: number): Bucket {
    const capacity = rate * BURST_SECONDS
    const bucket = this.#buckets.get(sourceId) ?? { tokens: capacity, filledAtMs: nowMs }
    const seconds = Math.max(0, nowMs - bucket.filledAtMs) / 1000
    bucket.tokens = Math.min(capacity, bucket.tokens + seconds * rate)
    bucket.filledAtMs = nowMs
    this.#buckets.set(sourceId, bucket)
    return bucket
  }
}
