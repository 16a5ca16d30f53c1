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

/** Reads a property of rows as a group's number; each distinct value is turned into text once. */
export function groupReader(
  slices: DaySlice[],
  property: string,
  groups: Groups,
): (slice: number, row: number) => number {
  const columns = slices.map((slice) => slice.columns.get(property))
  const lists = new Map<string[] | undefined, Int32Array>()
  /** By slice, the group of each value; -1: not met yet. */
  const groupsOf = columns.map((column) => {
    const groupOfValue = lists.get(column?.values) ?? new Int32Array((column?.values.length ?? 0) + 1).fill(-1)
    lists.set(column?.values, groupOfValue)
    return groupOfValue
  })
  return (slice, row) => {
    const column = columns[slice]
    const code = column === undefined ? 0 : column.codes[row]!
    const value = column?.numberOfCode === undefined ? code : column.numberOfCode[code]!
    const groupOfValue = groupsOf[slice]!
    const known = groupOfValue[value]!
    if (known !== -1) return known
    const number = groups.numberOf(value === 0 ? null : asText(column!.values[value - 1]!))
    groupOfValue[value] = number
    return number
  }
}

/** By code point; null last. */
export function compareValues(a: string | null, b: string | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null)
  return compareCodePoints(a, b)
}
