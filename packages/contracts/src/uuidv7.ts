/**
 * UUIDv7 as RFC 9562 section 5.7 says, ascending within one generator (its section 6.2, method 1: the first 42 bits
 * after the time are a counter, started at random in each new millisecond and counting up while the clock stands or
 * runs back; the last 32 bits are random in every id). No BigInt: the tracker carries this into browsers.
 *
 * @param now milliseconds since 1970, whole, the caller's clock
 * @param random fills the words it is given; Web Crypto's, in browsers and Node alike
 */
export function uuidv7Generator(
  now: () => number = Date.now,
  random: (words: Uint32Array<ArrayBuffer>) => Uint32Array = (words) => crypto.getRandomValues(words),
): () => string {
  let time = -1
  let counter = 0
  const words = new Uint32Array(3)
  return () => {
    random(words)
    const current = now()
    if (current > time) {
      time = current
      // 41 bits, so that the other half of the 42 is room to count: 2e12 ids in one millisecond.
      counter = (words[0]! % 2 ** 11) * 2 ** 30 + (words[1]! % 2 ** 30)
    } else counter++
    const t = hex(time, 12)
    const low = hex(0x80000000 + (counter % 2 ** 30), 8)
    return `${t.slice(0, 8)}-${t.slice(8)}-7${hex(Math.floor(counter / 2 ** 30), 3)}-${low.slice(0, 4)}-${low.slice(4)}${hex(words[2]!, 8)}`
  }
}

/** The time inside a UUIDv7, in milliseconds since 1970; null for any other text. */
export function uuidv7Time(id: string): number | null {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(id)) return null
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0')
}
