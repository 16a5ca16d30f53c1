/**
 * One row: field `n` lies at `starts[n]` of `bytes` and is `sizes[n]` bytes long, -1 for null. All three are used again for the next
 * row: copy what is to stay.
 */
export type OnRow = (bytes: Buffer, starts: Int32Array, sizes: Int32Array) => void

/** Reads the binary format of COPY (Postgres manual, COPY, section "Binary Format") as it comes, in pieces of any size. */
export class BinaryRows {
  readonly #onRow: OnRow
  readonly #starts: Int32Array
  readonly #sizes: Int32Array
  /** What came and belongs to no whole row yet. */
  #waiting: Buffer[] = []
  #waitingBytes = 0
  /** With fewer bytes than these nothing is whole: joining the pieces of one large value each time would cost its square. */
  #wanted = HEADER_BYTES
  #headerRead = false
  #ended = false

  constructor(columns: number, onRow: OnRow) {
    this.#onRow = onRow
    this.#starts = new Int32Array(columns)
    this.#sizes = new Int32Array(columns)
  }

  push(chunk: Buffer): void {
    this.#waiting.push(chunk)
    this.#waitingBytes += chunk.length
    if (this.#waitingBytes < this.#wanted) return
    const bytes = this.#waiting.length === 1 ? chunk : Buffer.concat(this.#waiting, this.#waitingBytes)
    const read = this.#readRows(bytes)
    const rest = bytes.subarray(read)
    this.#waiting = rest.length === 0 ? [] : [rest]
    this.#waitingBytes = rest.length
  }

  /** @throws Error if the data did not come to its end */
  end(): void {
    if (!this.#ended) throw new Error('the COPY ended in the middle of its data')
  }

  /** @returns how many bytes whole rows took; `#wanted` is what the next one takes at least */
  #readRows(bytes: Buffer): number {
    let at = 0
    if (!this.#headerRead) {
      at = HEADER_BYTES + bytes.readInt32BE(HEADER_BYTES - 4)
      this.#headerRead = true
    }
    for (;;) {
      const end = this.#locate(bytes, at)
      if (end < 0) return at
      if (end > at + 2) this.#onRow(bytes, this.#starts, this.#sizes)
      at = end
    }
  }

  /** @returns where the row that begins there ends; -1 if it is not whole */
  #locate(bytes: Buffer, from: number): number {
    const starts = this.#starts
    const sizes = this.#sizes
    let at = from + 2
    if (!this.#has(bytes, from, at)) return -1
    const fields = (bytes[from]! << 8) | bytes[from + 1]!
    if (fields === TRAILER) {
      this.#ended = true
      return at
    }
    if (fields !== starts.length) throw new Error(`a row of ${fields} columns came, ${starts.length} were told`)
    for (let field = 0; field < fields; field += 1) {
      if (!this.#has(bytes, from, at + 4)) return -1
      const size = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
      at += 4
      starts[field] = at
      sizes[field] = size
      if (size > 0) at += size
      if (!this.#has(bytes, from, at)) return -1
    }
    return at
  }

  #has(bytes: Buffer, from: number, end: number): boolean {
    if (end <= bytes.length) return true
    this.#wanted = end - from
    return false
  }
}

/** The signature, the flags, and the length of a header extension, which nobody sends. */
const HEADER_BYTES = 19
const TRAILER = 0xffff
