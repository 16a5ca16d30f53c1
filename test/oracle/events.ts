/** A row of platform_events, as far as analytics can tell rows apart. */
export interface OracleEvent {
  /** Lower-case uuid; breaks ties of `at`. */
  id: string
  eventType: string
  userId: string | null
  sessionId: string | null
  /** The JSON text of each property as jsonb prints it: `5.0` and `5` are two texts of one number. */
  properties: Record<string, string>
  /** Microseconds since 1970. */
  at: number
  sourceId: number
}

/** By (created_at, id). */
export function inOrder(events: readonly OracleEvent[]): OracleEvent[] {
  return [...events].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
}

/** `from` inclusive, `to` exclusive, microseconds. */
export function within(events: readonly OracleEvent[], from: number, to: number): OracleEvent[] {
  return events.filter(({ at }) => from <= at && at < to)
}

/** `properties ->> key`: a string without its quotes, any other JSON as its text; null where absent or JSON null. */
export function textOf(event: OracleEvent, property: string): string | null {
  const text = Object.hasOwn(event.properties, property) ? event.properties[property]! : 'null'
  const value: unknown = JSON.parse(text)
  return value === null ? null : typeof value === 'string' ? value : text
}
