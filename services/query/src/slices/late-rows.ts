import type { DaySlice } from '@platform-events/analytics'

/**
 * Whether a late row is of the same actor and microsecond as a row of its day's segment: then nobody could say which of the two comes
 * first, for a segment has no ids.
 */
export function collides(late: DaySlice, segment: DaySlice): boolean {
  let begin = 0
  for (const [run, actorNo] of late.actorNos.entries()) {
    const end = late.actorEnds[run]!
    const there = runOf(segment, actorNo)
    if (there !== undefined)
      for (let row = begin; row < end; row += 1)
        if (hasInstant(segment, there, late.ms[row]!, late.us[row]!)) return true
    begin = end
  }
  return false
}

function runOf({ actorNos, actorEnds }: DaySlice, actorNo: number): { begin: number; end: number } | undefined {
  let low = 0
  let high = actorNos.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (actorNos[middle]! < actorNo) low = middle + 1
    else high = middle
  }
  if (actorNos[low] !== actorNo) return undefined
  return { begin: low === 0 ? 0 : actorEnds[low - 1]!, end: actorEnds[low]! }
}

/** The rows of an actor are in the order of time. */
function hasInstant(slice: DaySlice, { begin, end }: { begin: number; end: number }, ms: number, us: number): boolean {
  let low = begin
  let high = end
  while (low < high) {
    const middle = (low + high) >>> 1
    if (slice.ms[middle]! < ms || (slice.ms[middle] === ms && slice.us[middle]! < us)) low = middle + 1
    else high = middle
  }
  return low < end && slice.ms[low] === ms && slice.us[low] === us
}
