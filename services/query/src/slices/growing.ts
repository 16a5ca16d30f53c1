type Numbers = Uint8Array | Uint16Array | Uint32Array

interface NumbersOf<T extends Numbers> {
  new (buffer: SharedArrayBuffer): T
  readonly BYTES_PER_ELEMENT: number
}

const FIRST_LENGTH = 1024

/** A typed array over shared memory that grows as values come. */
export class Growing<T extends Numbers> {
  readonly #type: NumbersOf<T>
  #values: T
  #length = 0

  constructor(type: NumbersOf<T>) {
    this.#type = type
    this.#values = new type(new SharedArrayBuffer(FIRST_LENGTH * type.BYTES_PER_ELEMENT))
  }

  get length(): number {
    return this.#length
  }

  push(value: number): void {
    if (this.#length === this.#values.length) this.#grow()
    this.#values[this.#length] = value
    this.#length += 1
  }

  /** What came until now; it does not see what comes later. */
  values(): T {
    return this.#values.subarray(0, this.#length) as T
  }

  #grow(): void {
    const grown = new this.#type(new SharedArrayBuffer(this.#values.byteLength * 2))
    grown.set(this.#values)
    this.#values = grown
  }
}
