import { LIMITS } from './limits.ts'

/** One reason that a JSON text may hold a NUL or a lone surrogate: UTF-8 cannot, only an escape can. */
const ESCAPED = /\\u(?:0000|[dD][89a-fA-F])/
// biome-ignore lint/suspicious/noControlCharactersInRegex: the NUL is what it looks for
const NUL = /\u0000/g
const LONE_SURROGATE = /\p{Surrogate}/gu

/** Whether the values of this JSON text can need `cleanStrings` at all; for most requests they cannot. */
export function mayNeedCleaning(jsonText: string): boolean {
  return jsonText.includes('\\u') && ESCAPED.test(jsonText)
}

/**
 * Takes NUL characters out of every string and key, and puts U+FFFD for every lone surrogate, since Postgres refuses both.
 * What lies deeper than the limits allow stays as it is (it will be rejected).
 *
 * @param count is called once for each string changed
 * @returns a copy; the value is not touched
 */
export function cleanStrings(value: unknown, count: () => void): unknown {
  // The event itself, its properties, and one level more so that the depth check still sees it.
  return cleanAt(value, LIMITS.JSON_DEPTH + 2, count)
}

function cleanAt(value: unknown, levels: number, count: () => void): unknown {
  if (typeof value === 'string') return cleanText(value, count)
  if (typeof value !== 'object' || value === null || levels === 0) return value
  if (Array.isArray(value)) return value.map((item) => cleanAt(item, levels - 1, count))
  const copy = {}
  for (const [key, item] of Object.entries(value)) {
    // defineProperty, because an assignment to __proto__ would set the prototype.
    Object.defineProperty(copy, cleanText(key, count), {
      value: cleanAt(item, levels - 1, count),
      enumerable: true,
      writable: true,
      configurable: true,
    })
  }
  return copy
}

function cleanText(text: string, count: () => void): string {
  const clean = text.replace(NUL, '').replace(LONE_SURROGATE, '\ufffd')
  if (clean !== text) count()
  return clean
}
