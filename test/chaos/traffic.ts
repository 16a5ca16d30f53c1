import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WireEvent } from '@platform-events/contracts'
import { createTracker, type Tracker } from '@platform-events/tracker'
import { at, type Random } from './random.ts'
import { type Place, SentEvents } from './sent-events.ts'

/** The visitors: real trackers that send through the door, at a bounded rate. */
export interface Traffic {
  sent: SentEvents
  /** What the trackers gave up: none should be. */
  lost: string[]
  /** Sends bytes of the past once more, as they were. */
  replay(share: number): Promise<string>
  /** Sends events of our own making by a clock that is off by this much, until they are acknowledged. */
  send(events: WireEvent[], goesTo: Place, clockOffMs?: number): Promise<void>
  /** No new events; resolves true when all that were made are acknowledged. */
  finish(withinMs: number): Promise<boolean>
}

const VISITORS = 8
const TICK_MS = 100
const EVENTS_A_SESSION = 60
const TYPES = ['SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'BookingConfirmed'] as const
const KEPT_BODIES = 400
const RETRY_MS = 3000

export function startTraffic(options: {
  url: string
  writeKey: string
  random: Random
  /** Of all visitors together. */
  eventsPerSecond: number
}): Traffic {
  const { random } = options
  const sent = new SentEvents()
  const lost: string[] = []
  const bodies: string[] = []
  const endpoint = `${options.url}/v1/events`
  const realFetch = globalThis.fetch
  globalThis.fetch = (input, init) => {
    if (input !== endpoint) return realFetch(input, init)
    bodies.push(init!.body as string)
    if (bodies.length > KEPT_BODIES) bodies.splice(Math.floor(bodies.length / 2), 1)
    return sent.post(endpoint, init!, realFetch)
  }

  const visitors = Array.from({ length: VISITORS }, () =>
    newVisitor(
      createTracker({
        ...{ url: options.url, writeKey: options.writeKey, flushIntervalMs: 100, resolveWithinMs: 1 },
        onError: ({ code, message, eventIds, lost: isLost }) => {
          if (isLost) lost.push(...eventIds.map((id) => `${id} ${code}: ${message}`))
        },
      }),
    ),
  )
  let n = 0
  const timer = setInterval(() => {
    const events = Math.round((options.eventsPerSecond * TICK_MS) / 1000)
    for (let made = 0; made < events; made++) at(visitors, random()).track(at(TYPES, random()), n++)
  }, TICK_MS)

  // As a browser that comes online again: nobody waits out a backoff of up to a minute.
  const retry = setInterval(() => {
    for (const { tracker } of visitors) void tracker.flushAnalytics(0)
  }, RETRY_MS)

  async function postOnce(body: string, goesTo?: Place): Promise<boolean> {
    const init = { method: 'POST', body, signal: AbortSignal.timeout(10_000) }
    return sent.post(endpoint, init, realFetch, goesTo).then(
      (response) => response.status === 202,
      () => false,
    )
  }

  return {
    sent,
    lost,
    async replay(share) {
      if (bodies.length === 0) return 'nothing sent yet'
      const body = at(bodies, share)
      return (await postOnce(body)) ? `${JSON.parse(body).batch.length} events, answered 202 again` : 'no answer'
    },
    async send(events, goesTo, clockOffMs = 0) {
      const body = (): string => {
        const sentAt = new Date(Date.now() + clockOffMs).toISOString()
        return JSON.stringify({ batch: events, sent_at: sentAt, write_key: options.writeKey })
      }
      while (!(await postOnce(body(), goesTo))) await sleep(500)
    },
    async finish(withinMs) {
      clearInterval(timer)
      clearInterval(retry)
      const deadline = Date.now() + withinMs
      const flush = async ({ tracker }: Visitor): Promise<boolean> => {
        while (Date.now() < deadline) if (await tracker.flushAnalytics(2000)) return true
        return false
      }
      const all = await Promise.all(visitors.map(flush))
      await Promise.all(visitors.map(({ tracker }) => tracker.closeAnalytics(1)))
      globalThis.fetch = realFetch
      return all.every(Boolean)
    },
  }
}

interface Visitor {
  tracker: Tracker
  track(eventType: string, n: number): void
}

/** One tracker; its sessions follow each other, and half-way through each the visitor logs in. */
function newVisitor(tracker: Tracker): Visitor {
  let session = ''
  let user = ''
  let made = 0
  return {
    tracker,
    track(eventType, n) {
      if (made % EVENTS_A_SESSION === 0) {
        session = randomUUID()
        user = randomUUID()
      }
      const userId = made++ % EVENTS_A_SESSION < EVENTS_A_SESSION / 2 ? null : user
      void tracker.trackEvent(eventType as 'SearchStarted', { city: 'Cali', n } as { city: string }, userId, session)
    },
  }
}
