import type { PropertyFilter } from './funnel-definition.ts'
import type { TaggedSlice } from './gather.ts'
import { type Groups, groupReader } from './row-groups.ts'
import type { DaySlice } from './slice.ts'
import { tagEvents } from './tag-events.ts'

/** The breakdown by event type, where others name a property. */
export const TYPE_BREAKDOWN = '$event_type'

/** Each row's tag: 0 where it is not asked for, else one more than its group's number. */
export function tagGroups(
  slices: DaySlice[],
  asked: { eventTypes: string[] | null; where: PropertyFilter[] },
  breakdown: string | null,
  groups: Groups,
): TaggedSlice[] {
  const tagged = tagEvents(slices, [{ eventTypes: asked.eventTypes ?? everyType(slices), where: asked.where }])
  if (breakdown === null) {
    groups.numberOf(null)
    return tagged
  }
  if (breakdown === TYPE_BREAKDOWN) return tagged.map((day) => tagByType(day, groups))
  const read = groupReader(slices, breakdown, groups)
  return tagged.map((day) => {
    const { slice, index, tagOfType, tagOfRow } = day
    const groupOfRow = new Int32Array(slice.rows)
    for (let row = 0; row < slice.rows; row++) {
      const tag = tagOfRow === null ? tagOfType[slice.typeCodes[row]!]! : tagOfRow[row]!
      if (tag !== 0) groupOfRow[row] = read(index, row) + 1
    }
    return { ...day, tagOfRow: groupOfRow }
  })
}

export function everyType(slices: DaySlice[]): string[] {
  return [...new Set(slices.flatMap(({ types }) => types))]
}

function tagByType(day: TaggedSlice, groups: Groups): TaggedSlice {
  const { slice, tagOfType, tagOfRow } = day
  const groupOfType = Int32Array.from(slice.types, (type) => groups.numberOf(type) + 1)
  if (tagOfRow !== null)
    return { ...day, tagOfRow: tagOfRow.map((tag, row) => tag * groupOfType[slice.typeCodes[row]!]!) }
  return { ...day, tagOfType: tagOfType.map((tag, code) => tag * groupOfType[code]!) }
}
