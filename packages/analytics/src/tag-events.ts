import type { EventMatch, PropertyFilter } from './funnel-definition.ts'
import { type ActorRange, EVERYBODY, rowsOfActors, type TaggedSlice } from './gather.ts'
import { propertyTest } from './property-test.ts'
import type { DaySlice, PropertyColumn } from './slice.ts'

/** At most this many kinds of events can be told apart at once: one bit each. */
const MOST_MATCHES = 31

/**
 * Each row's tag: bit i for `matches[i]`; 0 for rows of actors outside the range where filters ask for more than the type. Filters are
 * asked once for each distinct value: what is left to do by row is to take away the bits that its type could have and its values deny.
 */
export function tagEvents(slices: DaySlice[], matches: EventMatch[], range: ActorRange = EVERYBODY): TaggedSlice[] {
  if (matches.length > MOST_MATCHES) throw new RangeError(`${matches.length} kinds of events; at most ${MOST_MATCHES}`)
  const readers = filtersByProperty(matches)
  return slices.map((slice, index) => {
    const tagOfType = typeTags(slice.types, matches)
    const masked: { codes: PropertyColumn['codes']; masks: Int32Array }[] = []
    for (const [property, filters] of readers) {
      const column = slice.columns.get(property)
      if (column !== undefined) masked.push({ codes: column.codes, masks: filters.masksOf(column) })
      // A property without a column is one that no event of the day has.
      else for (let code = 0; code < tagOfType.length; code++) tagOfType[code]! &= filters.absent
    }
    const tagOfRow = masked.length === 0 ? null : new Int32Array(slice.rows)
    if (tagOfRow === null) return { slice, index, tagOfType, tagOfRow }
    const { typeCodes } = slice
    const { begin, end } = rowsOfActors(slice, range)
    for (let row = begin; row < end; row++) tagOfRow[row] = tagOfType[typeCodes[row]!]!
    for (const { codes, masks } of masked) for (let row = begin; row < end; row++) tagOfRow[row]! &= masks[codes[row]!]!
    return { slice, index, tagOfType, tagOfRow }
  })
}

function typeTags(types: string[], matches: EventMatch[]): Int32Array {
  const tags = new Int32Array(types.length)
  for (const [bit, { eventTypes }] of matches.entries()) {
    for (const eventType of eventTypes) {
      const code = types.indexOf(eventType)
      if (code !== -1) tags[code]! |= 1 << bit
    }
  }
  return tags
}

/** All that is asked of one property. A mask has the bits of the matches that a value lets pass, and of those that do not ask for it. */
interface PropertyFilters {
  absent: number
  /** By code. */
  masksOf(column: PropertyColumn): Int32Array
}

function filtersByProperty(matches: EventMatch[]): Map<string, PropertyFilters> {
  const asked = new Map<string, Map<string, { filter: PropertyFilter; bits: number }>>()
  for (const [bit, { where }] of matches.entries()) {
    for (const filter of where) {
      const ofProperty = asked.get(filter.property) ?? new Map()
      const key = JSON.stringify([filter.op, filter.value])
      ofProperty.set(key, { filter, bits: (ofProperty.get(key)?.bits ?? 0) | (1 << bit) })
      asked.set(filter.property, ofProperty)
    }
  }
  return new Map(Array.from(asked, ([property, filters]) => [property, propertyFilters([...filters.values()])]))
}

function propertyFilters(filters: { filter: PropertyFilter; bits: number }[]): PropertyFilters {
  const tests = filters.map(({ filter, bits }) => ({ passes: propertyTest(filter), bits }))
  const maskOf = (json: string | undefined): number =>
    tests.reduce((mask, { passes, bits }) => (passes(json) ? mask : mask & ~bits), -1)
  const absent = maskOf(undefined)
  const known = new Map<string[], Int32Array>()
  return {
    absent,
    masksOf({ values, numberOfCode }) {
      const masks = known.get(values) ?? Int32Array.from([absent, ...values.map(maskOf)])
      known.set(values, masks)
      return numberOfCode === undefined ? masks : Int32Array.from(numberOfCode, (number) => masks[number]!)
    },
  }
}
