/** A number that two ways of computing may round differently. */
export class About {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

/** Rates are rounded to 6 decimals. */
const TOLERANCE = 1.000001e-6

/** Where two answers first differ, as a path with both values; null where they are the same. */
export function difference(expected: unknown, got: unknown, path = ''): string | null {
  if (expected instanceof About)
    return typeof got === 'number' &&
      Math.abs(expected.value - got) <= TOLERANCE * Math.max(1, Math.abs(expected.value))
      ? null
      : say(path, expected.value, got)
  if (Array.isArray(expected) && Array.isArray(got)) {
    for (let index = 0; index < Math.max(expected.length, got.length); index++) {
      const found = difference(expected[index], got[index], `${path}[${index}]`)
      if (found) return found
    }
    return null
  }
  if (isObject(expected) && isObject(got)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(got)])) {
      const found = difference(expected[key], got[key], `${path}.${key}`)
      if (found) return found
    }
    return null
  }
  return Object.is(expected, got) ? null : say(path, expected, got)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function say(path: string, expected: unknown, got: unknown): string {
  return `at ${path || 'the top'}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`
}
