import { firstBatch } from './batch.ts'
import type { ServerClock } from './clock.ts'
import type { EventQueue, QueuedEvent } from './event-queue.ts'
import { envelope, post } from './post.ts'
import type { TrackerOptions, TrackerProblem } from './tracker-options.ts'

export interface SenderOptions {
  /** Undefined until the tracker is initialised; until then everything waits. */
  options: () => TrackerOptions | undefined
  userToken: () => string | null | undefined
  queue: EventQueue
  clock: ServerClock
  /** These events are done with: acknowledged, refused or given up. */
  onSettled: (ids: Set<string>) => void
  onProblem: (problem: TrackerProblem) => void
}

export interface Sender {
  /** Takes a stamped event; it goes out by itself. */
  enqueue(event: QueuedEvent): void
  /** Sends whatever waits without gathering, the first attempt even within a backoff. */
  sendNow(): void
  /** For a page that is hidden or leaves: everything out, by beacon or by requests that outlive the page. */
  handOver(beacon: boolean): void
  /** For a page that came back: what only a beacon carried is sent again, since no beacon is ever acknowledged. */
  resume(): void
  stop(): void
}

const FIRST_DELAY_MS = 50
const FLUSH_EVENTS = 20
const BATCH_EVENTS = 500
/** Browsers let 64 KB of keepalive requests and beacons be under way at a time; servers have no such limit. */
const BATCH_BYTES = typeof document === 'undefined' ? 400 * 1024 : 48 * 1024
const BACKOFF_FIRST_MS = 500
const BACKOFF_CAP_MS = 60_000

/**
 * Carries events from the queue to the collector, one request at a time, the first soon and the rest gathered. An event
 * leaves the queue when it is acknowledged, refused for good, or too old; until then it is sent again with backoff.
 */
export function createSender({ options, userToken, queue, clock, onSettled, onProblem }: SenderOptions): Sender {
  const inFlight = new Set<string>()
  /** Carried by a beacon or a request whose answer the leaving page may not see. */
  const handedOver = new Set<string>()
  let requests = 0
  let failures = 0
  let notBefore = 0
  let lastSend = 0
  let urgent = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopped = false

  const unsent = (): QueuedEvent[] =>
    queue.waiting().filter((event) => !inFlight.has(event.id) && !handedOver.has(event.id))
  const url = (): string => `${options()?.url.replace(/\/+$/, '')}/v1/events`
  const body = (batch: QueuedEvent[]): string => envelope(batch, options()!.writeKey, userToken())

  /** Sets the timer for the next request, unless one is under way: its end comes here again. */
  function schedule(): void {
    if (stopped || requests || !options()) return
    clearTimeout(timer)
    const waiting = unsent()
    urgent &&= !!waiting[0]
    if (!waiting[0]) return
    const now = Date.now()
    const gathered =
      urgent || waiting.length >= FLUSH_EVENTS
        ? now
        : Math.max(waiting[0].stampedAt + FIRST_DELAY_MS, lastSend + (options()?.flushIntervalMs ?? 1000))
    timer = setTimeout(send, Math.max(gathered, notBefore) - now)
    // A backoff alone must not keep a Node process alive; flush and close do.
    if (notBefore > gathered) (timer as { unref?: () => void }).unref?.()
  }

  function send(): boolean {
    // Or the timer would send beside a flush: should the first request fail, the second would be there before it.
    clearTimeout(timer)
    const batch = options() ? firstBatch(unsent(), BATCH_EVENTS, BATCH_BYTES) : []
    if (!batch.length) return false
    for (const event of batch) inFlight.add(event.id)
    requests++
    lastSend = Date.now()
    void attempt(batch).finally(() => {
      for (const event of batch) inFlight.delete(event.id)
      requests--
      schedule()
    })
    return true
  }

  async function attempt(batch: QueuedEvent[]): Promise<void> {
    const sentAt = Date.now()
    const { answer, code, message, retryAfterMs } = await post(url(), body(batch))
    const now = Date.now()
    if (retryAfterMs !== undefined) {
      const backoff = Math.min(BACKOFF_CAP_MS, BACKOFF_FIRST_MS * 2 ** failures++) * (0.5 + Math.random() / 2)
      notBefore = now + Math.max(backoff, retryAfterMs)
      const oldest = now - (options()?.giveUpAfterMs ?? 3_600_000)
      settle(
        batch.filter((event) => event.stampedAt < oldest),
        'gave_up',
        message,
      )
      report(
        batch.filter((event) => event.stampedAt >= oldest),
        code,
        message,
        false,
      )
      return
    }
    failures = 0
    if (answer) clock.learn(answer.server_time, sentAt, now)
    for (const verdict of answer?.rejected ?? [])
      report(batch.slice(verdict.index, verdict.index + 1), verdict.code, verdict.message)
    settle(batch, code, message)
  }

  /** Lets go of events; with a code, because they are lost. */
  function settle(events: QueuedEvent[], code?: string, message?: string): void {
    const ids = new Set(events.map((event) => event.id))
    queue.remove(ids)
    onSettled(ids)
    if (code) report(events, code, message)
  }

  function report(events: QueuedEvent[], code: string, message = '', lost = true): void {
    if (events[0]) onProblem({ code, message, eventIds: events.map((event) => event.id), lost })
  }

  function sendBeacons(): void {
    // What the browser refuses for its size goes in smaller parts, as far as it lets us.
    for (let limit = BATCH_BYTES; limit > 1; ) {
      const batch = firstBatch(unsent(), BATCH_EVENTS, limit)
      if (!batch.length) return
      if (navigator.sendBeacon(url(), body(batch))) for (const event of batch) handedOver.add(event.id)
      else limit /= 2
    }
  }

  return {
    enqueue(event) {
      settle(queue.append(event), 'queue_full', 'oldest events dropped')
      schedule()
    },
    sendNow() {
      urgent = true
      notBefore = 0
      if (!requests) send()
    },
    handOver(beacon) {
      if (!options()) return
      // Without keepalive (Firefox before 133) a request dies with its page: what is under way goes by beacon too.
      const keepalive = 'keepalive' in Request.prototype
      if (!keepalive) inFlight.clear()
      // With it, a page that leaves sees its requests fail although they go on.
      else if (beacon) for (const id of inFlight) handedOver.add(id)
      if (beacon || !keepalive) sendBeacons()
      else while (send()) {}
    },
    resume() {
      handedOver.clear()
      schedule()
    },
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
