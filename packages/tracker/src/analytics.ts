import { createTracker } from './tracker.ts'

/**
 * The tracker behind the functions that pages and servers call without making one of their own. What is recorded before
 * `initAnalytics` waits for it. Each is documented at `Tracker`.
 */
export const {
  initAnalytics,
  trackEvent,
  trackEvents,
  getAnalyticsSessionId,
  clearAnalyticsSession,
  setAnalyticsUser,
  flushAnalytics,
  closeAnalytics,
} = createTracker()
