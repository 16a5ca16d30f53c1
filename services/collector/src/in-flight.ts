import { RequestError } from '@platform-events/contracts'
import { atMost } from './at-most.ts'

/** A body that has been arriving for less than this is never given up for another's. */
const GRACE_MS = 2000

/** As many as libuv has threads. A decoder holds a megabyte that no claim counts: 1,000 bodies of 14 bytes, in brotli, held 1 GB. */
const DECODING_AT_ONCE = 4

/**
 * Bounds what requests hold at once (bodies being read, appends pending), so that a slow log costs no memory without end.
 *
 * When it is full, the body that has been arriving for the longest gives way to the newcomer: otherwise 33 MB sent but for their last
 * bytes, and then kept waiting, would shut everybody out until the request timeout (60 s for half a megabyte a second: tried).
 */
export class InFlightBytes {
  /** Does the decoding of one body when it is its turn. */
  readonly decoding = atMost(DECODING_AT_ONCE)
  readonly #bound: number
  readonly #now: () => number
  #bytes = 0
  /** The longest first, with the time each began. */
  readonly #arriving = new Map<InFlightClaim, number>()

  /** @param now milliseconds */
  constructor(bound: number, now: () => number) {
    this.#bound = bound
    this.#now = now
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @throws RequestError log_unavailable when all requests together would hold more than the bound */
  take(bytes: number): void {
    while (this.#bytes + bytes > this.#bound) this.#giveUpOldest()
    this.#bytes += bytes
  }

  release(bytes: number): void {
    this.#bytes -= bytes
  }

  arriving(claim: InFlightClaim): void {
    this.#arriving.set(claim, this.#now())
  }

  arrived(claim: InFlightClaim): void {
    this.#arriving.delete(claim)
  }

  #giveUpOldest(): void {
    const [oldest] = this.#arriving
    if (oldest === undefined || this.#now() - oldest[1] < GRACE_MS)
      throw new RequestError('log_unavailable', 'Too many bytes wait for the event log.', { retryAfterSeconds: 1 })
    oldest[0].giveUp(
      new RequestError('log_unavailable', 'The body came too slowly while much was waiting.', { retryAfterSeconds: 1 }),
    )
  }
}

/** What one request holds of them. */
export class InFlightClaim {
  readonly #all: InFlightBytes
  #held = 0
  #onGiveUp: ((error: RequestError) => void) | undefined
  #givenUp: RequestError | undefined

  constructor(all: InFlightBytes) {
    this.#all = all
  }

  /** @throws as InFlightBytes.take */
  take(bytes: number): void {
    this.#all.take(bytes)
    if (this.#givenUp !== undefined) {
      // To make room for itself: it was the oldest.
      this.#all.release(bytes)
      throw this.#givenUp
    }
    this.#held += bytes
  }

  /** As InFlightBytes.decoding. */
  decoding<T>(work: () => Promise<T>): Promise<T> {
    return this.#all.decoding(work)
  }

  /** Until `arrived`, others may have this one given up. */
  arriving(onGiveUp: (error: RequestError) => void): void {
    this.#onGiveUp = onGiveUp
    this.#all.arriving(this)
  }

  arrived(): void {
    this.#all.arrived(this)
  }

  giveUp(error: RequestError): void {
    this.#givenUp = error
    this.release()
    this.#onGiveUp?.(error)
  }

  /** Gives all of it back. */
  release(): void {
    this.arrived()
    this.#all.release(this.#held)
    this.#held = 0
  }
}
