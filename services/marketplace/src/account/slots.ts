import { RequestError } from '@platform-events/contracts'

const RETRY_SECONDS = 10

/** Bounds how many of a kind run at once in this process, and each user to one: each holds one of the pool's connections for long. */
export class Slots {
  readonly #users = new Set<string>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  /**
   * @returns gives the place back
   * @throws RequestError rate_limited where this user has one under way, or others have all places
   */
  take(userId: string): () => void {
    if (this.#users.has(userId)) throw busy('One of yours is under way.')
    if (this.#users.size >= this.#most) throw busy('Those of others are under way.')
    this.#users.add(userId)
    return () => this.#users.delete(userId)
  }
}

function busy(message: string): RequestError {
  return new RequestError('rate_limited', message, { retryAfterSeconds: RETRY_SECONDS })
}
