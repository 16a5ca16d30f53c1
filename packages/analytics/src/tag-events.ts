import type { EventMatch, PropertyFilter } from './funnel-definition.ts'
import type { TaggedSlice } from './gather.ts'
import { propertyTest } from './property-test.ts'
import type { DaySlice } from './slice.ts'

/** At most this many kinds of events can be told apart at once: one bit each. */
const MOST_MATCHES = 31

/** Each row's tag: bit i for `matches[i]`. Filters are asked once for each distinct value of a day, never for each row. */
export function tagEvents(slices: DaySlice[], matches: EventMatch[]): TaggedSlice[] {
  if (matches.length > MOST_MATCHES) throw new RangeError(`${matches.length} kinds of events; at most ${MOST_MATCHES}`)
  return slices.map((slice, index) => {
    const tagOfType = typeTags(
      slice.types,
      matches.map((match) => (match.where.length === 0 ? match.eventTypes : [])),
    )
    const filtered = matches
      .map((match, bit) => ({ bit, match, ofType: typeTags(slice.types, [match.eventTypes]) }))
      .filter(({ match, ofType }) => match.where.length > 0 && ofType.some((tag) => tag !== 0))
    if (filtered.length === 0) return { slice, index, tagOfType, tagOfRow: null }
    const tagOfRow = new Int32Array(slice.rows)
    for (let row = 0; row < slice.rows; row++) tagOfRow[row] = tagOfType[slice.typeCodes[row]!]!
    for (const { bit, match, ofType } of filtered) addTag(slice, ofType, match.where, 1 << bit, tagOfRow)
    return { slice, index, tagOfType, tagOfRow }
  })
}

function typeTags(types: string[], wanted: string[][]): Int32Array {
  const tags = new Int32Array(types.length)
  for (const [bit, eventTypes] of wanted.entries()) {
    for (const eventType of eventTypes) {
      const code = types.indexOf(eventType)
      if (code !== -1) tags[code]! |= 1 << bit
    }
  }
  return tags
}

function addTag(slice: DaySlice, ofType: Int32Array, where: PropertyFilter[], tag: number, tagOfRow: Int32Array): void {
  const filters = where.map((filter) => {
    const column = slice.columns.get(filter.property)
    const test = propertyTest(filter)
    // A property without a column is one that no event of the day has.
    return {
      codes: column?.codes,
      passes: Uint8Array.from([undefined, ...(column?.values ?? [])], (value) => Number(test(value))),
    }
  })
  const { typeCodes, rows } = slice
  if (filters.length === 1) {
    const { codes, passes } = filters[0]!
    for (let row = 0; row < rows; row++) {
      if (ofType[typeCodes[row]!] !== 0 && passes[codes === undefined ? 0 : codes[row]!] === 1) tagOfRow[row]! |= tag
    }
    return
  }
  for (let row = 0; row < rows; row++) {
    if (ofType[typeCodes[row]!] === 0) continue
    if (filters.every(({ codes, passes }) => passes[codes === undefined ? 0 : codes[row]!] === 1)) tagOfRow[row]! |= tag
  }
}
