import { setTimeout as sleep } from 'node:timers/promises'
import type { WireEvent } from '@platform-events/contracts'
import { at, type Random } from './random.ts'
import { type Place, SentEvents } from './sent-events.ts'
import type { Door } from './system.ts'
import { newVisitor, type Visitor } from './visitor.ts'

/** The visitors: real trackers that send through the doors, at a bounded rate. */
export interface Traffic {
  sent: SentEvents
  /** What the trackers gave up: none should be. */
  lost: string[]
  /** Sends bytes of the past once more, as they were. */
  replay(share: number): Promise<string>
  /** Sends events of our own making, by a clock that is off by this much, until they are acknowledged. */
  send(events: WireEvent[], goesTo: Place, how?: { clockOffMs?: number; url?: string }): Promise<void>
  /** No new events; resolves true when all that were made are acknowledged. */
  finish(withinMs: number): Promise<boolean>
}

const TICK_MS = 100
const KEPT_BODIES = 400
const RETRY_MS = 3000

interface Sent {
  url: string
  body: string
}

export function startTraffic(options: {
  doors: Door[]
  writeKey: string
  random: Random
  /** Of all visitors together. */
  eventsPerSecond: number
}): Traffic {
  const { doors, random, writeKey, eventsPerSecond } = options
  const sent = new SentEvents()
  const lost: string[] = []
  const bodies: Sent[] = []
  const inOrder = new Map(doors.map((door) => [`${door.url}/v1/events`, door.oneCollector]))
  const realFetch = globalThis.fetch
  globalThis.fetch = (input, init) => {
    const url = String(input)
    const ordered = inOrder.get(url)
    if (ordered === undefined) return realFetch(input, init)
    bodies.push({ url, body: init!.body as string })
    if (bodies.length > KEPT_BODIES) bodies.splice(Math.floor(bodies.length / 2), 1)
    return sent.post({ url, init: init!, inOrder: ordered }, realFetch)
  }

  // Each so slow that what it keeps back in a minute is no request over the limits.
  const count = Math.max(8, Math.ceil(eventsPerSecond / 40))
  const visitors = Array.from({ length: count }, (_, index) =>
    newVisitor({ url: doors[index % doors.length]!.url, writeKey, lost }),
  )
  let n = 0
  let due = 0
  let lastTick = Date.now()
  let timer: NodeJS.Timeout
  // Set anew each time: an interval that is always late would let nothing else have its turn.
  const tick = (): void => {
    const now = Date.now()
    due = Math.min(eventsPerSecond, due + (eventsPerSecond * (now - lastTick)) / 1000)
    lastTick = now
    for (; due >= 1; due--) at(visitors, random()).track(random(), n++)
    timer = setTimeout(tick, TICK_MS)
  }
  tick()

  // As a browser that comes online again: nobody waits out a backoff of up to a minute.
  const retry = setInterval(() => {
    for (const { tracker } of visitors) void tracker.flushAnalytics(0)
  }, RETRY_MS)

  async function postOnce({ url, body }: Sent, goesTo: Place = 'stored'): Promise<boolean> {
    const init = { method: 'POST', body, signal: AbortSignal.timeout(10_000) }
    return sent.post({ url, init, goesTo }, realFetch).then(
      (response) => response.status === 202,
      () => false,
    )
  }

  return {
    sent,
    lost,
    async replay(share) {
      if (bodies.length === 0) return 'nothing sent yet'
      const old = at(bodies, share)
      return (await postOnce(old)) ? `${JSON.parse(old.body).batch.length} events, answered 202 again` : 'no answer'
    },
    async send(events, goesTo, { clockOffMs = 0, url = doors[0]!.url } = {}) {
      const request = (): Sent => {
        const sentAt = new Date(Date.now() + clockOffMs).toISOString()
        return {
          url: `${url}/v1/events`,
          body: JSON.stringify({ batch: events, sent_at: sentAt, write_key: writeKey }),
        }
      }
      while (!(await postOnce(request(), goesTo))) await sleep(500)
    },
    async finish(withinMs) {
      clearTimeout(timer)
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
