import { asText, compareCodePoints } from './json-scalars.ts'
import type { DaySlice } from './slice.ts'

/** Numbers for the values that a breakdown meets, in the order in which it meets them. */
export class Groups {
  readonly values: (string | null)[] = []
  readonly #numbers = new Map<string | null, number>()

  numberOf(value: string | null): number {
    const known = this.#numbers.get(value)
    if (known !== undefined) return known
    this.#numbers.set(value, this.values.length)
    return this.values.push(value) - 1
  }
}

/** Reads a property of rows as a group's number; each distinct value of a day is turned into text once. */
export function groupReader(
  slices: DaySlice[],
  property: string,
  groups: Groups,
): (slice: number, row: number) => number {
  const numbers = slices.map(({ columns }) => new Int32Array((columns.get(property)?.values.length ?? 0) + 1).fill(-1))
  return (slice, row) => {
    const column = slices[slice]!.columns.get(property)
    const code = column === undefined ? 0 : column.codes[row]!
    const known = numbers[slice]![code]!
    if (known !== -1) return known
    const number = groups.numberOf(code === 0 ? null : asText(column!.values[code - 1]!))
    numbers[slice]![code] = number
    return number
  }
}

/** By code point; null last. */
export function compareValues(a: string | null, b: string | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null)
  return compareCodePoints(a, b)
}
