/** An event between its stamping and its acknowledgement. */
export interface QueuedEvent {
  id: string
  /** The event as it goes over the wire: serialised once, so that every attempt sends the same bytes. */
  json: string
  /** Length of `json` in UTF-8. */
  bytes: number
  /** When it was stamped, by the uncorrected local clock, in ms. */
  stampedAt: number
  /** What was added to the local clock in its `created_at`, in ms; the `sent_at` beside it gets the same. */
  clockCorrection: number
}

/** Where events wait. Synchronous, because the last call comes while the page is being torn down; must not throw. */
export interface EventQueue {
  /** Appends one; returns what was dropped to stay within the bounds, oldest first. */
  append(event: QueuedEvent): QueuedEvent[]
  /** Everything that waits, oldest first. */
  waiting(): readonly QueuedEvent[]
  remove(ids: ReadonlySet<string>): void
}

/**
 * A queue that lives as long as the page or process does. Full, it drops the oldest.
 *
 * @param maxBytes of the events' UTF-8; more than one event has
 */
export function memoryQueue(maxEvents: number, maxBytes: number): EventQueue {
  let events: QueuedEvent[] = []
  let bytes = 0
  return {
    append(event) {
      events.push(event)
      bytes += event.bytes
      let dropped = 0
      while (events.length - dropped > maxEvents || bytes > maxBytes) bytes -= events[dropped++]!.bytes
      return events.splice(0, dropped)
    },
    waiting: () => events,
    remove(ids) {
      events = events.filter((event) => !ids.has(event.id))
      bytes = events.reduce((sum, event) => sum + event.bytes, 0)
    },
  }
}
