import { randomUUID } from 'node:crypto'
import { createTracker, type Tracker } from '@platform-events/tracker'
import { at } from './random.ts'

export interface Visitor {
  tracker: Tracker
  /** @param share says which type of event, in [0, 1) */
  track(share: number, n: number): void
}

const EVENTS_A_SESSION = 60
/** What a visitor keeps back before they do nothing more: in an outage we must not become slow ourselves. */
const MOST_PENDING = 1000
const HOUR_MS = 3_600_000
const TYPES = ['SearchStarted', 'ProfessionalViewed', 'CheckoutStarted', 'BookingConfirmed'] as const

/** One tracker; its sessions follow each other, and half-way through each the visitor logs in. `lost` takes what it gives up. */
export function newVisitor({ url, writeKey, lost }: { url: string; writeKey: string; lost: string[] }): Visitor {
  const tracker = createTracker({
    ...{ url, writeKey, flushIntervalMs: 100, resolveWithinMs: HOUR_MS },
    onError: ({ code, message, eventIds, lost: isLost }) => {
      if (isLost) lost.push(...eventIds.map((id) => `${id} ${code}: ${message}`))
    },
  })
  let session = ''
  let user = ''
  let made = 0
  let pending = 0
  return {
    tracker,
    track(share, n) {
      if (pending >= MOST_PENDING) return
      if (made % EVENTS_A_SESSION === 0) {
        session = randomUUID()
        user = randomUUID()
      }
      const userId = made++ % EVENTS_A_SESSION < EVENTS_A_SESSION / 2 ? null : user
      pending++
      const tracked = tracker.trackEvent(
        at(TYPES, share) as 'SearchStarted',
        { city: 'Cali', n } as { city: string },
        userId,
        session,
      )
      void tracked.then(() => pending--)
    },
  }
}
