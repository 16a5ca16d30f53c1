/**
 * Encodes rows in the binary format of COPY (Postgres manual, COPY, section "Binary Format") into one growing buffer,
 * meant to be filled and sent again and again:
 *
 *     copy.begin()
 *     for (const event of events) {
 *       copy.row(3)
 *       copy.uuid(event.id)
 *       copy.text(event.event_type)
 *       copy.timestamptz(event.created_at_us)
 *     }
 *     await copyIn(client, 'copy t (id, event_type, created_at) from stdin (format binary)', copy.finish())
 *
 * Values must come in the order of the column list, as many as `row` announced, each in the type of its column:
 * the format carries no types, and Postgres answers 22P03 or 22P04 at best.
 */
export class BinaryCopy {
  #bytes: Buffer
  #end = 0

  /** `initialBytes`: what a usual batch takes; the buffer doubles when that is not enough, and stays so. */
  constructor(initialBytes = 1 << 20) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(initialBytes, HEADER.length))
  }

  /** Bytes encoded so far. */
  get length(): number {
    return this.#end
  }

  /** Forgets everything and begins a new file. */
  begin(): void {
    this.#bytes.set(HEADER)
    this.#end = HEADER.length
  }

  /** Begins a row of that many columns. */
  row(columns: number): void {
    this.#writeInt16(this.#take(2), columns)
  }

  null(): void {
    this.#writeInt32(this.#take(4), -1)
  }

  /** @throws RangeError unless it is a uuid in its usual form, in upper or lower case */
  uuid(value: string): void {
    const at = this.#take(20)
    this.#writeInt32(at, 16)
    if (value.length !== 36 || !writeUuid(value, this.#bytes, at + 4)) throw new RangeError('not a uuid')
  }

  /** A lone surrogate becomes U+FFFD; a NUL makes Postgres refuse the row (22021). */
  text(value: string): void {
    const at = this.#take(4 + value.length * 3)
    const size = writeUtf8(value, this.#bytes, at + 4)
    this.#writeInt32(at, size)
    this.#end = at + 4 + size
  }

  /** The JSON text as it stands, unparsed, as UTF-8. */
  jsonb(json: Uint8Array, start = 0, end = json.length): void {
    const size = end - start
    const at = this.#take(5 + size)
    this.#writeInt32(at, size + 1)
    this.#bytes[at + 4] = JSONB_VERSION
    copyBytes(json, start, end, this.#bytes, at + 5)
  }

  /** The value is not checked: it must fit. */
  int2(value: number): void {
    const at = this.#take(6)
    this.#writeInt32(at, 2)
    this.#writeInt16(at + 4, value)
  }

  /** The value is not checked: it must fit. */
  int4(value: number): void {
    const at = this.#take(8)
    this.#writeInt32(at, 4)
    this.#writeInt32(at + 4, value)
  }

  /** @throws RangeError on a number that is no safe integer: such values come as a bigint (slower) */
  int8(value: number | bigint): void {
    if (typeof value === 'number' && !Number.isSafeInteger(value))
      throw new RangeError(`not a whole number within 2^53: ${value}`)
    const at = this.#take(12)
    this.#writeInt32(at, 8)
    if (typeof value === 'bigint') this.#bytes.writeBigInt64BE(value, at + 4)
    else this.#writeInt64(at + 4, value)
  }

  /**
   * A time as microseconds since 1970 UTC: exact between the years 1715 and 2255, beyond that the nearest double, which in
   * the year 9999 is 16 µs off at most. (Anyone's clock may claim such a year: it must not end a batch.)
   *
   * @throws RangeError if it is no whole number, or one outside of the years 1 to 9999
   */
  timestamptz(microseconds: number): void {
    if (!(Number.isInteger(microseconds) && microseconds >= YEAR_1 && microseconds <= YEAR_10000))
      throw new RangeError(`not a time in microseconds: ${microseconds}`)
    const at = this.#take(12)
    this.#writeInt32(at, 8)
    this.#writeInt64(at + 4, microseconds - MICROSECONDS_1970_TO_2000)
  }

  /** What was encoded from there on, an earlier `length`, to be sent ahead of the rest. It holds until the next `begin`. */
  part(from: number): Buffer {
    return this.#bytes.subarray(from, this.#end)
  }

  /** Ends the file. The buffer returned is this object's own: it holds until the next `begin`. */
  finish(): Buffer {
    this.#writeInt16(this.#take(2), -1)
    return this.#bytes.subarray(0, this.#end)
  }

  /** Makes room for that many bytes and returns where they begin. */
  #take(size: number): number {
    const at = this.#end
    this.#end = at + size
    if (this.#end > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#end))
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
    }
    return at
  }

  #writeInt16(at: number, value: number): void {
    this.#bytes[at] = value >> 8
    this.#bytes[at + 1] = value
  }

  #writeInt32(at: number, value: number): void {
    const bytes = this.#bytes
    bytes[at] = value >> 24
    bytes[at + 1] = value >> 16
    bytes[at + 2] = value >> 8
    bytes[at + 3] = value
  }

  /** In two halves, each exact, for a BigInt would cost a row more than all its other columns. */
  #writeInt64(at: number, value: number): void {
    const high = Math.floor(value / 0x1_0000_0000)
    this.#writeInt32(at, high)
    this.#writeInt32(at + 4, value - high * 0x1_0000_0000)
  }
}

/** The signature, no flags, no header extension. */
const HEADER = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex')

const JSONB_VERSION = 1

const MICROSECONDS_1970_TO_2000 = 946_684_800_000_000
const YEAR_1 = -62_135_596_800_000_000
/** Included, because the last microseconds of the year 9999 are rounded up to it. */
const YEAR_10000 = 253_402_300_800_000_000

/**
 * Value of a hex digit by its UTF-16 code; -1 for all other characters, which an OR over all bytes shows in its sign.
 * As long as there are codes, so that no bound needs a look: 1.7 times as fast as a table of 256 with one.
 */
const HEX = new Int8Array(0x1_0000).fill(-1)
for (let digit = 0; digit < 16; digit += 1) {
  const text = digit.toString(16)
  HEX[text.charCodeAt(0)] = digit
  HEX[text.toUpperCase().charCodeAt(0)] = digit
}

const DASH = 0x2d

function writeUuid(value: string, target: Uint8Array, at: number): boolean {
  const digits =
    writeHex(value, 0, 8, target, at) |
    writeHex(value, 9, 13, target, at + 4) |
    writeHex(value, 14, 18, target, at + 6) |
    writeHex(value, 19, 23, target, at + 8) |
    writeHex(value, 24, 36, target, at + 10)
  return (
    digits >= 0 &&
    value.charCodeAt(8) === DASH &&
    value.charCodeAt(13) === DASH &&
    value.charCodeAt(18) === DASH &&
    value.charCodeAt(23) === DASH
  )
}

/** @returns the OR of the bytes written; negative if a character was no hex digit */
function writeHex(value: string, from: number, to: number, target: Uint8Array, at: number): number {
  let all = 0
  for (let index = from, byte = at; index < to; index += 2, byte += 1) {
    const pair = (HEX[value.charCodeAt(index)]! << 4) | HEX[value.charCodeAt(index + 1)]!
    all |= pair
    target[byte] = pair
  }
  return all
}

/** A call into the runtime costs as much as some twenty-four characters here; most names are shorter, and ASCII. */
function writeUtf8(value: string, target: Buffer, at: number): number {
  const length = value.length
  if (length > 24) return target.write(value, at, 'utf8')
  for (let index = 0; index < length; index += 1) {
    const code = value.charCodeAt(index)
    if (code > 0x7f) return target.write(value, at, 'utf8')
    target[at + index] = code
  }
  return length
}

function copyBytes(source: Uint8Array, start: number, end: number, target: Buffer, at: number): void {
  if (source instanceof Buffer) source.copy(target, at, start, end)
  else target.set(source.subarray(start, end), at)
}
