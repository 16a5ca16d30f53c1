import type { DaySlice } from '@platform-events/analytics'
import type { Parts } from './messages.ts'

/** Few enough that what each does once for all rows (filters) costs little, enough that two workers end at about the same time. */
const PARTS = 4
/** Actor numbers end before this. */
const END = 2 ** 31
/** With fewer rows than these, a second worker costs more than it brings. */
const ROWS_FOR_ONE = 200_000

export function workersFor(slices: DaySlice[], workers: number): number {
  const rows = slices.reduce((sum, slice) => sum + slice.rows, 0)
  return rows < ROWS_FOR_ONE ? 1 : workers
}

/** Cuts the actors, from that number on, so that the parts have about as many rows each, judged by the largest day. */
export function partsOf(slices: DaySlice[], first: number): Parts {
  const largest = slices.reduce<DaySlice | undefined>(
    (best, slice) => (best && best.rows >= slice.rows ? best : slice),
    undefined,
  )
  const bounds = [first]
  if (largest !== undefined)
    for (let part = 1; part < PARTS; part += 1) {
      const actorNo = largest.actorNos[actorAt(largest, Math.floor((largest.rows * part) / PARTS))] ?? END
      if (actorNo > bounds.at(-1)!) bounds.push(actorNo)
    }
  if (bounds.at(-1) !== END) bounds.push(END)
  return {
    bounds: Float64Array.from(bounds),
    next: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
  }
}

/** Which of the day's actors has that row. */
function actorAt(slice: DaySlice, row: number): number {
  let low = 0
  let high = slice.actorEnds.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (slice.actorEnds[middle]! <= row) low = middle + 1
    else high = middle
  }
  return low
}
