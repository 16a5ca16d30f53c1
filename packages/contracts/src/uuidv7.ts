/**
 * UUIDv7 as RFC 9562 section 5.7 says, ascending within one generator (its section 6.2, method 2: the random tail
 * counts up by a random step while the millisecond stays the same or runs back).
 *
 * @param now milliseconds since 1970, the caller's clock
 * @param random fills the bytes it is given; Web Crypto's, in browsers and Node alike
 */
export function uuidv7Generator(
  now: () => number = Date.now,
  random: (bytes: Uint8Array) => Uint8Array = (bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>),
): () => string {
  let lastTime = -1
  const tail = new Uint8Array(10)
  return () => {
    const time = now()
    if (time > lastTime) {
      lastTime = time
      random(tail)
      tail[0] = tail[0]! & 0x01 // head-room, so that counting up never leaves the 74 bits
    } else {
      countUp(tail, 1 + random(new Uint8Array(1))[0]!)
    }
    return format(lastTime, tail)
  }
}

/** The time inside a UUIDv7, in milliseconds since 1970; null for any other text. */
export function uuidv7Time(id: string): number | null {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(id)) return null
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** Adds a step to the tail, read as one big-endian number. */
function countUp(tail: Uint8Array, step: number): void {
  let carry = step
  for (let i = tail.length - 1; i >= 0 && carry > 0; i--) {
    const sum = tail[i]! + carry
    tail[i] = sum & 0xff
    carry = sum >>> 8
  }
}

/** 48 bits of time, version, 12 bits, variant, 62 bits: the tail's 80 bits give 74, its top 6 are spare. */
function format(time: number, tail: Uint8Array): string {
  let bits = 0n
  for (const byte of tail) bits = (bits << 8n) | BigInt(byte)
  const a = Number((bits >> 62n) & 0xfffn)
  const b = bits & 0x3fffffffffffffffn
  const hex =
    time.toString(16).padStart(12, '0') +
    (0x7000 | a).toString(16) +
    (0x8000000000000000n | b).toString(16).padStart(16, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
