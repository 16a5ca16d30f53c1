import { RequestError } from '@platform-events/contracts'

/** Bounds what requests hold at once (bodies being read, appends pending), so that a slow log costs no memory without end. */
export class InFlightBytes {
  readonly #bound: number
  #bytes = 0

  constructor(bound: number) {
    this.#bound = bound
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @throws RequestError log_unavailable when all requests together would hold more than the bound */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#bound)
      throw new RequestError('log_unavailable', 'Too many bytes wait for the event log.', { retryAfterSeconds: 1 })
    this.#bytes += bytes
  }

  release(bytes: number): void {
    this.#bytes -= bytes
  }
}

/** What one request holds of them. */
export class InFlightClaim {
  readonly #all: InFlightBytes
  #held = 0

  constructor(all: InFlightBytes) {
    this.#all = all
  }

  /** @throws as InFlightBytes.take */
  take(bytes: number): void {
    this.#all.take(bytes)
    this.#held += bytes
  }

  /** Gives all of it back. */
  release(): void {
    this.#all.release(this.#held)
    this.#held = 0
  }
}
