/** One topic partition as it is seen at a look. */
export interface Seen {
  partition: number
  /** The offset to be delivered next. */
  position: number
  /** Since when it is being set up, or a batch of it is in the handler, on the clock of the looks; null: it waits to be fetched. */
  busySince: number | null
  /** The next offset that an append will get. */
  end: number
}

/** Looks in a row that find the same. */
const LOOKS = 3

/**
 * Notices a topic partition that has records to fetch and is not fetched, while the rest of the consumer is alive: kafkajs may leave one
 * out for good, and heartbeats go on.
 *
 * A handler that takes long is no stall, nor is what waits behind it: kafkajs fetches the next batches of a broker only when the last ones
 * are done. And behind a transaction's end, which is no record, a position stays below the end of its log for good; so each time that a
 * stall at one position was told in vain, more looks are needed to tell it again. Lives longer than the consumers that it watches.
 */
export class StallWatch {
  readonly #waiting = new Map<number, { position: number; looks: number }>()
  readonly #told = new Map<number, { position: number; times: number }>()
  #lookedAt = 0

  /** @param now of a clock that only goes forward, in ms. @returns the topic partition that is stalled, or null */
  look(seen: Seen[], now: number): number | null {
    const slow = seen.some(({ busySince }) => busySince !== null && busySince <= this.#lookedAt)
    this.#lookedAt = now
    if (slow) this.#waiting.clear()
    let stalled: number | null = null
    for (const { partition, position, busySince, end } of seen) {
      if (slow || busySince !== null || position >= end) {
        this.#waiting.delete(partition)
        continue
      }
      const before = this.#waiting.get(partition)
      const looks = before?.position === position ? before.looks + 1 : 1
      this.#waiting.set(partition, { position, looks })
      if (looks > LOOKS * this.#patience(partition, position)) stalled = partition
    }
    if (stalled !== null) this.#tell(stalled)
    return stalled
  }

  #patience(partition: number, position: number): number {
    const told = this.#told.get(partition)
    return told?.position === position ? 2 ** Math.min(told.times, 6) : 1
  }

  #tell(partition: number): void {
    const { position } = this.#waiting.get(partition)!
    const told = this.#told.get(partition)
    this.#told.set(partition, { position, times: told?.position === position ? told.times + 1 : 1 })
    this.#waiting.clear()
  }
}
