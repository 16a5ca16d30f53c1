export {
  clearAnalyticsSession,
  closeAnalytics,
  flushAnalytics,
  getAnalyticsSessionId,
  initAnalytics,
  setAnalyticsUser,
  trackEvent,
  trackEvents,
} from './analytics.ts'
export { type EventQueue, memoryQueue, type QueuedEvent } from './event-queue.ts'
export { createTracker, type TrackedEvent, type Tracker } from './tracker.ts'
export type { TrackerOptions, TrackerProblem } from './tracker-options.ts'
