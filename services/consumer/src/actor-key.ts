import { hash } from 'node:crypto'

/**
 * The 8-byte key of an actor: the first 8 bytes of sha256 over 'u:' + user_id or 's:' + session_id (UTF-8), signed and
 * big-endian. The user wins; neither gives null. Equal to events_internal.actor_key in SQL.
 *
 * @param userId a UUID in lower case
 */
export function actorKey(userId: string | null, sessionId: string | null): bigint | null {
  if (userId !== null) return firstEightBytes(`u:${userId}`)
  return sessionId === null ? null : firstEightBytes(`s:${sessionId}`)
}

/**
 * The same, remembering what it has hashed: a session's events come in runs, and a hash costs as much as the rest of
 * a row's encoding (0.5 µs of 1.1).
 */
export class ActorKeys {
  readonly #users: BoundedCache
  readonly #sessions: BoundedCache

  /** @param capacity users and sessions remembered, each; about 150 bytes an entry, and twice that for a while */
  constructor(capacity = 20_000) {
    this.#users = new BoundedCache('u:', capacity)
    this.#sessions = new BoundedCache('s:', capacity)
  }

  of(userId: string | null, sessionId: string | null): bigint | null {
    if (userId !== null) return this.#users.get(userId)
    return sessionId === null ? null : this.#sessions.get(sessionId)
  }
}

/** Two generations: when the young one is full it becomes the old one, and what nobody asked for since is forgotten. */
class BoundedCache {
  readonly #prefix: string
  readonly #capacity: number
  #young = new Map<string, bigint>()
  #old = new Map<string, bigint>()

  constructor(prefix: string, capacity: number) {
    this.#prefix = prefix
    this.#capacity = capacity
  }

  get(name: string): bigint {
    const young = this.#young.get(name)
    if (young !== undefined) return young
    const key = this.#old.get(name) ?? firstEightBytes(this.#prefix + name)
    if (this.#young.size >= this.#capacity) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(name, key)
    return key
  }
}

function firstEightBytes(text: string): bigint {
  return BigInt.asIntN(64, BigInt(`0x${hash('sha256', text).slice(0, 16)}`))
}
