import type { Scalar } from './funnel-definition.ts'

/**
 * Comparison of JSON texts as jsonb prints them with values of a filter, as exact as Postgres is: numbers as decimals of any length
 * (9007199254740993 is not 9007199254740992), strings by code point (collate "C").
 */
export function equalsScalar(json: string, value: Scalar): boolean {
  switch (typeof value) {
    case 'string':
      return json.startsWith('"') && stringOf(json) === value
    case 'boolean':
      return json === String(value)
    case 'number':
      return isNumber(json) && compareNumbers(json, value) === 0
  }
}

/** Negative, 0 or positive; undefined where the value is no scalar of the same type. */
export function compareScalar(json: string, value: string | number): number | undefined {
  if (typeof value === 'number') return isNumber(json) ? compareNumbers(json, value) : undefined
  return json.startsWith('"') ? compareCodePoints(stringOf(json), value) : undefined
}

/** What `properties ->> key` gives: a string without its quotes, null for null, anything else as its JSON text. */
export function asText(json: string): string | null {
  if (json === 'null') return null
  return json.startsWith('"') ? stringOf(json) : json
}

/** Most strings need no parser, which would take ten times as long. */
function stringOf(json: string): string {
  return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1)
}

/** As bytes of UTF-8 compare; `<` on strings compares UTF-16, which puts a surrogate before U+E000. */
export function compareCodePoints(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    const surrogates = Number(isSurrogate(x)) - Number(isSurrogate(y))
    return surrogates === 0 ? x - y : surrogates
  }
  return a.length - b.length
}

/** The JSON texts of an array's elements. */
export function arrayElements(json: string): string[] {
  const elements: string[] = []
  let depth = 0
  let begin = 1
  for (let i = 0; i < json.length; i++) {
    const char = json[i]
    if (char === '"') i = endOfString(json, i)
    else if (char === '[' || char === '{') depth++
    else if (char === ']' || char === '}') depth--
    const separates = (char === ',' && depth === 1) || depth === 0
    if (!separates) continue
    const element = json.slice(begin, i).trim()
    if (element !== '') elements.push(element)
    begin = i + 1
  }
  return elements
}

function endOfString(json: string, quote: number): number {
  let i = quote + 1
  while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1
  return i
}

const isNumber = (json: string): boolean => /^[-0-9]/.test(json)
const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff

function compareNumbers(json: string, value: number): number {
  // Rounding to a double keeps the order, so doubles that differ decide; only equal ones may hide a difference.
  const rounded = Number(json)
  if (rounded !== value) return rounded < value ? -1 : 1
  const [left, right] = [decimal(json), decimal(String(value))]
  if (left.digits === '' || right.digits === '') return Number(right.digits === '') - Number(left.digits === '')
  const sign = json.startsWith('-') ? -1 : 1
  if (left.point !== right.point) return sign * (left.point - right.point)
  return sign * compareCodePoints(left.digits, right.digits)
}

/** 0.digits × 10^point, without zeros at either end. */
function decimal(text: string): { digits: string; point: number } {
  const [mantissa = '', exponent = '0'] = text.replace(/^-/, '').split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const all = whole + fraction
  const leading = all.length - all.replace(/^0+/, '').length
  return { digits: all.slice(leading).replace(/0+$/, ''), point: whole.length - leading + Number(exponent) }
}
