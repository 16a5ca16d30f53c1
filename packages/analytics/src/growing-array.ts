/** Numbers of which nobody knows how many will come. */
export class GrowingFloats {
  #values = new Float64Array(64)
  #length = 0

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const grown = new Float64Array(this.#length * 2)
      grown.set(this.#values)
      this.#values = grown
    }
    this.#values[this.#length++] = value
  }

  /** What has come, in an array of its own. */
  finish(): Float64Array {
    return this.#values.slice(0, this.#length)
  }
}

/** Counters, all 0 at first, of which nobody knows how many there will be. */
export class GrowingCounts {
  #counts = new Uint32Array(64)
  #length = 0

  add(index: number, more = 1): void {
    if (index >= this.#counts.length) {
      const grown = new Uint32Array(Math.max(index + 1, this.#counts.length * 2))
      grown.set(this.#counts)
      this.#counts = grown
    }
    this.#length = Math.max(this.#length, index + 1)
    this.#counts[index]! += more
  }

  /** As many counters as asked for, in an array of their own. */
  finish(length: number): Uint32Array {
    const finished = new Uint32Array(length)
    finished.set(this.#counts.subarray(0, Math.min(length, this.#length)))
    return finished
  }
}
