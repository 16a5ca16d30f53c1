import { inOrder, type OracleEvent, textOf } from './events.ts'

export type OracleUnit = 'actor' | 'session' | { property: string }

/** The user of each session: that of the earliest (created_at, id) event that carries both, in range or not, late or not. */
export function sessionUsers(all: readonly OracleEvent[]): Map<string, string> {
  const users = new Map<string, string>()
  for (const { sessionId, userId } of inOrder(all))
    if (sessionId !== null && userId !== null && !users.has(sessionId)) users.set(sessionId, userId)
  return users
}

/** The event's own user, else its session's user, else the session itself, else nobody. */
export function actorOf(event: OracleEvent, users: ReadonlyMap<string, string>): string | null {
  if (event.userId !== null) return `user:${event.userId}`
  if (event.sessionId === null) return null
  const user = users.get(event.sessionId)
  return user === undefined ? `session:${event.sessionId}` : `user:${user}`
}

/** The events of each unit, by its name (`user:…`, `session:…`, `property:…`); events of no unit are left out. */
export function unitsOf(all: readonly OracleEvent[], unit: OracleUnit): Map<string, OracleEvent[]> {
  const users = sessionUsers(all)
  const units = new Map<string, OracleEvent[]>()
  for (const event of inOrder(all)) {
    const name = nameOf(event, unit, users)
    if (name !== null) units.set(name, [...(units.get(name) ?? []), event])
  }
  return units
}

function nameOf(event: OracleEvent, unit: OracleUnit, users: ReadonlyMap<string, string>): string | null {
  if (unit === 'actor') return actorOf(event, users)
  if (unit === 'session') return event.sessionId === null ? null : `session:${event.sessionId}`
  const text = textOf(event, unit.property)
  return text === null ? null : `property:${text}`
}
