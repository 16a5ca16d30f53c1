import { setTimeout as wait } from 'node:timers/promises'

/** Pauses that double up to a bound, each shortened by a random part, so that many do not come back at once. */
export class Backoff {
  readonly #firstMs: number
  readonly #longestMs: number
  #attempt = 0

  constructor(firstMs: number, longestMs: number) {
    this.#firstMs = firstMs
    this.#longestMs = longestMs
  }

  /** Resolves after the next pause, or on abort. */
  async pause(signal: AbortSignal): Promise<void> {
    const full = Math.min(this.#firstMs * 2 ** this.#attempt++, this.#longestMs)
    await wait(full * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {})
  }
}
