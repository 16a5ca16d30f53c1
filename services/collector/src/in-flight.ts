import { RequestError } from '@platform-events/contracts'

/** The bytes that one request holds. */
export interface InFlight {
  /** @throws RequestError log_unavailable when all requests together would hold more than the bound */
  take(bytes: number): void
  /** Gives all of it back. */
  release(): void
}

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

  begin(): InFlight {
    let held = 0
    return {
      take: (bytes) => {
        if (this.#bytes + bytes > this.#bound)
          throw new RequestError('log_unavailable', 'Too many bytes wait for the event log.', { retryAfterSeconds: 1 })
        this.#bytes += bytes
        held += bytes
      },
      release: () => {
        this.#bytes -= held
        held = 0
      },
    }
  }
}
