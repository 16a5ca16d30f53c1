import type { PreparedBatch } from './prepared-batch.ts'

export interface AccumulatorOptions {
  /** A load holds this many events, and more only by its last batch. */
  maxEvents: number
  /** The longest that a batch waits for company. */
  lingerMs: number
  /** How many topic partitions bring batches; when all of them wait, there is nothing to wait for. */
  topicPartitions: () => number
  /** Stores batches. What it leaves out of its answer was given up: its signal is aborted. */
  load(batches: PreparedBatch[]): Promise<Map<PreparedBatch, number>>
}

interface Waiter {
  prepared: PreparedBatch
  resolve(nextOffset: number): void
  reject(reason: unknown): void
}

/**
 * Gathers the batches of several topic partitions into one load. One load runs at a time; meanwhile the next is gathered,
 * at most one batch of each topic partition, which is what bounds the memory.
 */
export class Accumulator {
  readonly #options: AccumulatorOptions
  #waiting: Waiter[] = []
  #events = 0
  #lingering: NodeJS.Timeout | undefined
  #overdue = false
  #loading = false

  constructor(options: AccumulatorOptions) {
    this.#options = options
  }

  /** Resolves with the offset to go on from. Rejects when the batch was given up (its signal). */
  add(prepared: PreparedBatch): Promise<number> {
    return new Promise((resolve, reject) => {
      const { signal } = prepared.batch
      if (signal.aborted) return reject(signal.reason)
      const leave = () => this.#leave(waiter)
      const stay = () => signal.removeEventListener('abort', leave)
      signal.addEventListener('abort', leave)
      const waiter: Waiter = {
        prepared,
        resolve(nextOffset) {
          stay()
          resolve(nextOffset)
        },
        reject(reason) {
          stay()
          reject(reason)
        },
      }
      this.#waiting.push(waiter)
      this.#events += prepared.events
      this.#lingering ??= setTimeout(() => {
        this.#overdue = true
        this.#loadIfDue()
      }, this.#options.lingerMs)
      this.#loadIfDue()
    })
  }

  #leave(waiter: Waiter): void {
    if (this.#waiting.includes(waiter)) {
      this.#waiting = this.#waiting.filter((other) => other !== waiter)
      this.#events -= waiter.prepared.events
    }
    waiter.reject(waiter.prepared.batch.signal.reason)
  }

  #loadIfDue(): void {
    if (this.#loading || this.#waiting.length === 0) return
    const full = this.#events >= this.#options.maxEvents
    const complete = this.#waiting.length >= this.#options.topicPartitions()
    if (full || complete || this.#overdue) void this.#loadNow()
  }

  async #loadNow(): Promise<void> {
    const waiters = this.#take()
    this.#loading = true
    try {
      const settled = await this.#options.load(waiters.map(({ prepared }) => prepared))
      for (const { prepared, resolve, reject } of waiters) {
        const nextOffset = settled.get(prepared)
        if (nextOffset === undefined) reject(prepared.batch.signal.reason)
        else resolve(nextOffset)
      }
    } catch (error) {
      for (const { reject } of waiters) reject(error)
    } finally {
      this.#loading = false
      this.#loadIfDue()
    }
  }

  /** The batches that have waited longest, up to maxEvents; the others have waited a load long, and are due after it. */
  #take(): Waiter[] {
    let events = 0
    let count = 0
    while (count < this.#waiting.length && events < this.#options.maxEvents)
      events += this.#waiting[count++]!.prepared.events
    const taken = this.#waiting.splice(0, count)
    this.#events -= events
    clearTimeout(this.#lingering)
    this.#lingering = undefined
    this.#overdue = this.#waiting.length > 0
    return taken
  }
}
