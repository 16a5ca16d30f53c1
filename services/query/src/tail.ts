import type { ServerResponse } from 'node:http'
import { type ErrorBody, REQUEST_ERRORS, RequestError } from '@platform-events/contracts'
import type { Pool } from '@platform-events/postgres'
import type { Logger } from '@platform-events/runtime'
import type { QueryMetrics } from './metrics.ts'
import { openSseStream, type SseStream } from './sse-stream.ts'
import { createTailPoller } from './tail-poller.ts'
import { POLL_ROWS, selectBacklog, type TailEvent } from './tail-rows.ts'

const POLL_MS = 300
const POLL_AFTER_PROBLEM_MS = 1000
const HEARTBEAT_MS = 15_000
/** Each costs up to half a megabyte where its reader is slow, and its share of every event: 1,000 made everything else wait. */
const MAX_SUBSCRIBERS = 200

interface TailRequest {
  /** Only events of this type. */
  eventType: string | undefined
  /** How many stored events to begin with. */
  backlog: number
  /** The last id that this reader had before it lost the stream; what came before it is not sent again. */
  lastEventId: string | undefined
}

/** The live tail: one poll for all subscribers, and none while there are none. */
export interface Tail {
  /** @throws RequestError rate_limited where there are too many already */
  admit(): void
  subscribe(response: ServerResponse, request: TailRequest): void
  /** Ends all streams and the poll. */
  close(): Promise<void>
}

interface Subscriber {
  stream: SseStream
  request: TailRequest
  /** Until its backlog went out, new events wait for it. */
  state: 'new' | 'reading' | 'live'
  waiting: TailEvent[]
}

export interface TailOptions {
  pool: Pool
  logger: Logger
  clock: () => number
  metrics: QueryMetrics
  /** 200 unless told. */
  maxSubscribers?: number | undefined
}

export function createTail(options: TailOptions): Tail {
  const { pool, logger, clock, metrics } = options
  const subscribers = new Set<Subscriber>()
  const closing = new AbortController()
  let poller = createTailPoller(pool, clock)
  let polling: Promise<void> | undefined
  let problem: unknown
  let heart: NodeJS.Timeout | undefined

  async function pollWhileAnyoneListens(): Promise<void> {
    poller = createTailPoller(pool, clock)
    let primed = false
    heart = setInterval(() => {
      for (const { stream } of subscribers) stream.comment('heartbeat')
    }, HEARTBEAT_MS)
    while (subscribers.size > 0 && !closing.signal.aborted) {
      const startedAt = clock()
      try {
        if (primed) await pollOnce()
        else await poller.prime()
        primed = true
        recovered()
        for (const subscriber of subscribers) if (subscriber.state === 'new') void sendBacklog(subscriber)
      } catch (error) {
        failed(error)
      }
      // At most a fifth of the time is spent asking, however much there is to read.
      const pause = problem === undefined ? Math.max(POLL_MS, 4 * (clock() - startedAt)) : POLL_AFTER_PROBLEM_MS
      await sleep(pause, closing.signal)
    }
  }

  async function pollOnce(): Promise<void> {
    const { events, more } = await metrics.timed('tail', () => poller.poll())
    for (const subscriber of subscribers) {
      let sampled = more
      if (subscriber.state === 'live') for (const event of events) send(subscriber, event)
      else {
        // Its backlog may be long in coming, and fail, and be asked for again.
        const waiting = [...subscriber.waiting, ...events]
        subscriber.waiting = waiting.slice(-POLL_ROWS)
        sampled ||= waiting.length > POLL_ROWS
      }
      if (sampled) subscriber.stream.send('problem', { code: 'sampled', message: SAMPLED })
    }
  }

  async function sendBacklog(subscriber: Subscriber): Promise<void> {
    const { backlog, eventType, lastEventId } = subscriber.request
    subscriber.state = 'reading'
    try {
      const stored = backlog === 0 ? [] : await selectBacklog(pool, clock(), backlog, eventType)
      const ids = new Set(stored.map((event) => event.id))
      const unread = stored.slice(stored.findIndex((event) => event.id === lastEventId) + 1)
      const came = subscriber.waiting.filter((event) => !ids.has(event.id))
      for (const event of came.length === 0 ? unread : [...unread, ...came].sort(byReceipt)) send(subscriber, event)
      subscriber.waiting = []
      subscriber.state = 'live'
      // Opens the stream where there was nothing to send: what is stored after a reader sees it open does reach it.
      subscriber.stream.comment('live')
    } catch (error) {
      subscriber.state = 'new'
      subscriber.stream.send('problem', problemBody(error))
    }
  }

  function failed(error: unknown): void {
    if (problem === undefined) {
      logger.warn({ err: error }, 'live tail cannot read')
      for (const { stream } of subscribers) stream.send('problem', problemBody(error))
    }
    problem = error
  }

  function recovered(): void {
    if (problem !== undefined) for (const { stream } of subscribers) stream.send('recovered', {})
    problem = undefined
  }

  return {
    admit() {
      if (subscribers.size < (options.maxSubscribers ?? MAX_SUBSCRIBERS)) return
      throw new RequestError('rate_limited', `${subscribers.size} readers follow the live tail already.`, {
        retryAfterSeconds: 10,
      })
    },
    subscribe(response, request) {
      const stream = openSseStream(
        response,
        () => {
          subscribers.delete(subscriber)
          metrics.tailSubscribers.set(subscribers.size)
        },
        () => metrics.tailDropped.inc(),
      )
      const subscriber: Subscriber = { stream, request, state: 'new', waiting: [] }
      if (closing.signal.aborted) return stream.end()
      subscribers.add(subscriber)
      metrics.tailSubscribers.set(subscribers.size)
      if (problem !== undefined) stream.send('problem', problemBody(problem))
      polling ??= pollWhileAnyoneListens().finally(() => {
        polling = undefined
        clearInterval(heart)
      })
    },
    async close() {
      closing.abort()
      for (const { stream } of subscribers) stream.end()
      await polling
    },
  }
}

const SAMPLED = `More than ${POLL_ROWS} events came at once; some are not shown.`

function send(subscriber: Subscriber, event: TailEvent): void {
  const { eventType } = subscriber.request
  if (eventType === undefined || event.event_type === eventType) subscriber.stream.send('event', event, event.id)
}

function byReceipt(a: TailEvent, b: TailEvent): number {
  return Date.parse(a.received_at) - Date.parse(b.received_at)
}

function problemBody(error: unknown): ErrorBody {
  const code = error instanceof RequestError ? error.code : 'internal'
  const message = error instanceof RequestError ? error.message : 'Something failed on our side.'
  const { help, retryable } = REQUEST_ERRORS[code]
  return { code, message, help, retryable }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
