import { setTimeout as sleep } from 'node:timers/promises'

/** Pauses that double from `firstMs` to `mostMs`, each shortened by up to a half at random; an abort ends a pause at once. */
export class Backoff {
  readonly #firstMs: number
  readonly #mostMs: number
  #failures = 0

  constructor(firstMs: number, mostMs: number) {
    this.#firstMs = firstMs
    this.#mostMs = mostMs
  }

  /** Call after a success: the next pause is a short one again. */
  reset(): void {
    this.#failures = 0
  }

  async pause(signal?: AbortSignal): Promise<void> {
    const most = Math.min(this.#mostMs, this.#firstMs * 2 ** this.#failures)
    this.#failures += 1
    await sleep(most * (0.5 + Math.random() / 2), undefined, signal && { signal }).catch(() => undefined)
  }
}
