import { createTracker } from './tracker.ts'

/**
 * The script tag: `<script src="https://events.example.com/t.js" data-write-key="pk_…"></script>` gives the page a global
 * `platformEvents` (a `Tracker`) that sends to the script's own origin. Other attributes: `data-url` (another collector),
 * `data-user-id`, `data-user-token`, `data-flush-interval-ms`. Without `data-write-key` the page calls `initAnalytics` itself.
 */
const platformEvents = createTracker()
Object.assign(globalThis, { platformEvents })

const tag = document.currentScript as HTMLScriptElement | null
const { writeKey, url, userId, userToken, flushIntervalMs } = tag?.dataset ?? {}
if (userId) platformEvents.setAnalyticsUser(userId, userToken)
if (tag && writeKey)
  platformEvents.initAnalytics({
    url: url || new URL(tag.src).origin,
    writeKey,
    flushIntervalMs: Number(flushIntervalMs || 1000),
  })
