import type { EventCatalog, EventType } from '@platform-events/catalog'
import type { WireEvent } from '@platform-events/contracts'
import { uuidv7Generator } from '@platform-events/contracts/uuidv7'
import { attempt } from './attempt.ts'
import { serverClock } from './clock.ts'
import { within } from './deadline.ts'
import { type EventQueue, memoryQueue } from './event-queue.ts'
import { followPage } from './page.ts'
import { createSender } from './sender.ts'
import { browserSession } from './session.ts'
import type { TrackerOptions, TrackerProblem } from './tracker-options.ts'

/** One event of `trackEvents`; the properties follow from the event type. */
export type TrackedEvent = {
  [K in EventType]: {
    eventType: K
    properties: EventCatalog[K]
    userId?: string | null | undefined
    sessionId?: string | null | undefined
  }
}[EventType]

/** None of these throws or rejects, whatever is passed in and whatever the network does; they need no `this`. */
export interface Tracker {
  /**
   * Names the collector. Events recorded before wait for it. Called again, the new options hold from the next request on.
   */
  initAnalytics(options: TrackerOptions): void
  /**
   * Records one event. Its properties are checked by the compiler against the catalogue.
   *
   * An event type of your own is declared once, by augmentation, and is then checked like the others:
   *
   * ```ts
   * declare module '@platform-events/catalog' {
   *   interface EventCatalog { CouponApplied: { code: string; percent: number } }
   * }
   * ```
   *
   * @param userId the user's uuid. Absent: the signed-in user (`getUser`, `setAnalyticsUser`). null: nobody
   * @param sessionId absent: this tab's session in a browser, none on a server, where the visitor's must be passed. null: none
   * @returns resolves when the event is acknowledged or given up, but after 5 seconds at the latest (`resolveWithinMs`), so
   *   that a page that awaits it never hangs on us; the event stays queued then. Never rejects: see `onError`
   */
  trackEvent<K extends EventType>(
    eventType: K,
    properties: EventCatalog[K],
    userId?: string | null,
    sessionId?: string | null,
  ): Promise<void>
  /** Records several events in this order; as `trackEvent` for each, and resolves when all are settled. */
  trackEvents(events: TrackedEvent[]): Promise<void>
  /**
   * The id of this tab's session, a random uuid in session storage under `analytics_session_id`, made on first use.
   * Empty on a server, which has no session of its own.
   */
  getAnalyticsSessionId(): string
  /** Forgets this tab's session; the next event starts a new one. */
  clearAnalyticsSession(): void
  /**
   * Names the signed-in user (null: nobody) for the events from here on that name none, and their JWT for sources that
   * verify users. Wins over `getUser` and `getUserToken`.
   */
  setAnalyticsUser(userId: string | null, userToken?: string | null): void
  /** Sends what waits. Resolves true when all of it is acknowledged or given up, false after `timeoutMs` (default 10,000). */
  flushAnalytics(timeoutMs?: number): Promise<boolean>
  /** Flushes, then lets go of timers and listeners: await this before a server ends. Later events are refused as `closed`. */
  closeAnalytics(timeoutMs?: number): Promise<boolean>
}

/** The collector's limit for one event. */
const EVENT_BYTES = 32 * 1024

/**
 * A tracker of its own: queue, clock, stream and timers belong to it alone, so that several may live in one page or process.
 *
 * @param options absent: the events wait until `initAnalytics`
 * @param queue where they wait; in memory, 1000 events or 4 MB in a browser, 10,000 or 32 MB elsewhere, the oldest dropped and reported
 */
export function createTracker(
  options?: TrackerOptions,
  queue: EventQueue = typeof document === 'undefined' ? memoryQueue(10_000, 32e6) : memoryQueue(1000, 4e6),
): Tracker {
  const newId = uuidv7Generator()
  const clock = serverClock()
  const session = browserSession()
  const stream = newId()
  /** What still waits, and how its promise is resolved. */
  const unsettled = new Map<string, { promise: Promise<void>; resolve: () => void }>()
  const toldOnce = new Set<string>()
  let seq = 0
  let closed = false
  let user: [userId: string | null | undefined, token: string | null | undefined] | undefined

  const sender = createSender({
    options: () => options,
    userToken: () => attempt(() => (user ? user[1] : options?.getUserToken?.())),
    queue,
    clock,
    onSettled(ids) {
      for (const id of ids) {
        unsettled.get(id)?.resolve()
        unsettled.delete(id)
      }
    },
    onProblem: report,
  })
  const unfollow = followPage(sender)

  /** Stamps an event once and queues it; resolves when it is settled. */
  function record(input: TrackedEvent): Promise<void> | undefined {
    const id = newId()
    const refuse = (code: string, message: string): void => report({ code, message, eventIds: [id], lost: true })
    try {
      if (closed) return void refuse('closed', 'tracker is closed')
      const stampedAt = Date.now()
      const clockCorrection = clock.correction()
      const currentUser = (): string | null | undefined => (user ? user[0] : options?.getUser?.())
      const event: { [K in keyof WireEvent]: unknown } = {
        id,
        event_type: input.eventType,
        user_id: (input.userId === undefined ? attempt(currentUser) : input.userId) || undefined,
        session_id: (input.sessionId === undefined ? session.id() : input.sessionId) || undefined,
        created_at: new Date(stampedAt + clockCorrection).toISOString(),
        stream,
        seq,
        properties: input.properties,
      }
      const json = JSON.stringify(event)
      const bytes = new TextEncoder().encode(json).length
      if (bytes > EVENT_BYTES) return void refuse('event_too_large', `${bytes} > ${EVENT_BYTES} bytes`)
      seq++
      const waiting = {} as { promise: Promise<void>; resolve: () => void }
      waiting.promise = new Promise((resolve) => {
        waiting.resolve = resolve
      })
      unsettled.set(id, waiting)
      sender.enqueue({ id, json, bytes, stampedAt, clockCorrection })
      return waiting.promise
    } catch (error) {
      return void refuse('invalid_properties', String(error))
    }
  }

  function report(problem: TrackerProblem): void {
    const { code, message } = problem
    // The page's own callback may fail; the page must not fail with it.
    if (options?.onError) return void attempt(() => options?.onError?.(problem))
    if (toldOnce.has(code)) return
    toldOnce.add(code)
    // biome-ignore lint/suspicious/noConsole: a page has no logger, and silence here would hide lost events
    console.warn(`platform-events: ${code}: ${message}`)
  }

  async function trackEvents(events: TrackedEvent[]): Promise<void> {
    await within(options?.resolveWithinMs ?? 5000, Promise.all(attempt(() => events.map(record)) ?? []))
  }

  async function flushAnalytics(timeoutMs = 10_000): Promise<boolean> {
    sender.sendNow()
    return within(timeoutMs, Promise.all(Array.from(unsettled.values(), ({ promise }) => promise)))
  }

  return {
    initAnalytics(newOptions) {
      options = newOptions
      sender.resume()
    },
    trackEvent: (eventType, properties, userId, sessionId) =>
      trackEvents([{ eventType, properties, userId, sessionId } as TrackedEvent]),
    trackEvents,
    getAnalyticsSessionId: session.id,
    clearAnalyticsSession: session.clear,
    setAnalyticsUser(...named) {
      user = [named[0], named[1]]
    },
    flushAnalytics,
    async closeAnalytics(timeoutMs = 5000) {
      closed = true
      const well = await flushAnalytics(timeoutMs)
      unfollow()
      sender.stop()
      return well
    },
  }
}
