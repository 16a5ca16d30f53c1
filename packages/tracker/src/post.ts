import type { ErrorBody, IngestAnswer } from '@platform-events/contracts'
import type { QueuedEvent } from './event-queue.ts'

/** What became of one request. */
export interface Outcome {
  /** Present where the collector took the request: the events that are not in `rejected` are stored. */
  answer?: IngestAnswer
  /** Otherwise: why not, and after how many ms at the earliest the same may succeed (absent: never). */
  code: string
  message: string
  retryAfterMs?: number
}

const REQUEST_TIMEOUT_MS = 30_000

/** The body of a request. The events' bytes are theirs; only the envelope knows of the attempt. */
export function envelope(events: QueuedEvent[], writeKey: string, userToken: string | null | undefined): string {
  const sentAt = new Date(Date.now() + events[0]!.clockCorrection).toISOString()
  const rest = JSON.stringify({ sent_at: sentAt, write_key: writeKey, user_token: userToken || undefined })
  return `{"batch":[${events.map((event) => event.json)}],${rest.slice(1)}`
}

/**
 * Posts one body and says what became of it; never throws. A string body goes as text/plain and no header is added, so
 * that browsers ask for no preflight; `keepalive` lets it outlive the page.
 */
export async function post(url: string, body: string): Promise<Outcome> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      keepalive: true,
      credentials: 'omit',
      signal: AbortSignal.timeout?.(REQUEST_TIMEOUT_MS) ?? null,
    })
    const answer: Partial<IngestAnswer & ErrorBody> = await response.json().catch(() => ({}))
    const { ok, status } = response
    // A 200 without an answer of ours comes from something else at that address: nothing was stored.
    if (ok && answer.rejected) return { answer: answer as IngestAnswer, code: '', message: '' }
    return {
      code: answer.code ?? `http_${status}`,
      message: answer.message ?? `${url} answered ${status}`,
      ...((ok || status === 408 || status === 429 || status >= 500) && {
        retryAfterMs: retryAfterMs(response.headers.get('retry-after')),
      }),
    }
  } catch (error) {
    return { code: 'network', message: `${url}: ${(error as Error).cause ?? error}`, retryAfterMs: 0 }
  }
}

/** Retry-After is seconds or a date (RFC 9110, 10.2.3). Absent or hidden by CORS: 0. */
function retryAfterMs(header: string | null): number {
  const ms = Number(header) * 1000 || Date.parse(header ?? '') - Date.now()
  return Math.max(0, ms || 0)
}
