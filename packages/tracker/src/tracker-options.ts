export interface TrackerOptions {
  /** Where the collector is: `https://events.example.com`, a path prefix allowed; `/v1/events` is added. */
  url: string
  /** `pk_…` in browsers; a server may use its `sk_…`. */
  writeKey: string
  /** The signed-in user's uuid at the moment of an event, for events that name none. */
  getUser?: () => string | null | undefined
  /** The platform's JWT of that user, sent with each request for sources that verify user ids. */
  getUserToken?: () => string | null | undefined
  /** How long events are gathered after a request, in ms; an event after a pause goes out within 50 ms. Default 1000. */
  flushIntervalMs?: number
  /** Events not delivered this long after they happened are dropped and reported. Default one hour. */
  giveUpAfterMs?: number
  /** The longest that the promise of `trackEvent` may take, in ms; the event itself stays queued. Default 5000. */
  resolveWithinMs?: number
  /** Told of every refused, dropped or delayed event. Default: a console warning, once for each code. */
  onError?: (problem: TrackerProblem) => void
}

/** Something that a developer should know. */
export interface TrackerProblem {
  /**
   * The collector's `code`, or one of the tracker's own: `network`, `http_<status>` (an answer that is not the collector's),
   * `queue_full`, `gave_up`, `event_too_large`, `invalid_properties`, `closed`.
   */
  code: string
  message: string
  /** The events that this is about. */
  eventIds: string[]
  /** False while the events still wait and are sent again. */
  lost: boolean
}
