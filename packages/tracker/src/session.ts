import { uuidv7Generator } from '@platform-events/contracts/uuidv7'
import { attempt } from './attempt.ts'

/** The key in the browser's session storage; existing code of the platform reads it too. */
const STORAGE_KEY = 'analytics_session_id'

export interface Session {
  /** The session's id, made on first use. Outside a browser there is none: the empty string. */
  id(): string
  /** Forgets the id; the next event starts a new session. */
  clear(): void
}

/**
 * The visit of this tab: a random uuid in session storage, or in memory where storage throws (cookies blocked, quota).
 *
 * A server has no session of its own, because one id for the whole process would make one person of all its users:
 * there, pass the visitor's session id with every event.
 */
export function browserSession(): Session {
  if (typeof document === 'undefined') return { id: () => '', clear() {} }
  let inMemory = ''
  return {
    id() {
      const stored = attempt(() => sessionStorage.getItem(STORAGE_KEY)) || inMemory
      if (stored && stored.length <= 128) return stored
      // Pages served by plain http have no randomUUID.
      inMemory = crypto.randomUUID?.() ?? uuidv7Generator()()
      attempt(() => sessionStorage.setItem(STORAGE_KEY, inMemory))
      return inMemory
    },
    clear() {
      inMemory = ''
      attempt(() => sessionStorage.removeItem(STORAGE_KEY))
    },
  }
}
