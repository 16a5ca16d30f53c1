import { RequestError } from '@platform-events/contracts'

const MOST_AT_ONCE = 2
const RETRY_SECONDS = 10

/** Bounds how many exports run at once in this process: each holds a connection and a snapshot for as long as its reader likes. */
export class ExportSlots {
  readonly #users = new Set<string>()

  /**
   * @returns gives the place back
   * @throws RequestError rate_limited where this user has an export under way, or others have all places
   */
  take(userId: string): () => void {
    if (this.#users.has(userId)) throw busy('An export of yours is under way.')
    if (this.#users.size >= MOST_AT_ONCE) throw busy('Other exports are under way.')
    this.#users.add(userId)
    return () => this.#users.delete(userId)
  }
}

function busy(message: string): RequestError {
  return new RequestError('rate_limited', message, { retryAfterSeconds: RETRY_SECONDS })
}
