import { setImmediate as turn } from 'node:timers/promises'

/** What rows are sorted by: (actor, ms, us, id). Arrays may be longer than the rows. */
export interface RowKeys {
  actors: Uint32Array
  ms: Uint32Array
  us: Uint16Array
  /** 16 bytes a row. */
  ids: Uint8Array
}

/**
 * The rows in order, by radix sort, which for 1 M rows takes some 60 ms where a comparing sort takes a second. Others of this process, a collector
 * among them, have their turn in between.
 *
 * @returns row numbers; `order[0]` is the first row
 */
export async function rowOrder(rows: number, keys: RowKeys): Promise<Uint32Array> {
  let order = new Uint32Array(rows)
  for (let row = 0; row < rows; row += 1) order[row] = row
  let other = new Uint32Array(rows)
  const digits: [Uint32Array | Uint16Array, shift: number, bits: number][] = [
    [keys.us, 0, 10],
    [keys.ms, 0, 14],
    [keys.ms, 14, 13],
    [keys.actors, 0, 16],
    [keys.actors, 16, 16],
  ]
  for (const [values, shift, bits] of digits) {
    if (sortBy(values, shift, bits, order, other)) [order, other] = [other, order]
    await turn()
  }
  orderTies(order, keys)
  return order
}

/** @returns whether `to` now has the rows of `from` ordered by that digit; false where all are equal in it */
function sortBy(
  values: Uint32Array | Uint16Array,
  shift: number,
  bits: number,
  from: Uint32Array,
  to: Uint32Array,
): boolean {
  const mask = (1 << bits) - 1
  const counts = new Uint32Array(mask + 2)
  for (const row of from) counts[((values[row]! >>> shift) & mask) + 1]! += 1
  if (from.length === 0 || counts[((values[from[0]!]! >>> shift) & mask) + 1] === from.length) return false
  for (let digit = 0; digit <= mask; digit += 1) counts[digit + 1]! += counts[digit]!
  for (const row of from) to[counts[(values[row]! >>> shift) & mask]!++] = row
  return true
}

/** Rows of one actor in one microsecond are ordered by their ids: few, so by comparing. */
function orderTies(order: Uint32Array, keys: RowKeys): void {
  const { actors, ms, us, ids } = keys
  const tied = (a: number, b: number) => ms[a] === ms[b] && us[a] === us[b] && actors[a] === actors[b]
  for (let from = 0, to = 1; from < order.length; from = to, to += 1) {
    while (to < order.length && tied(order[from]!, order[to]!)) to += 1
    if (to - from > 1) order.subarray(from, to).sort((a, b) => compareIds(ids, a, b))
  }
}

function compareIds(ids: Uint8Array, a: number, b: number): number {
  for (let at = 0; at < 16; at += 1) {
    const difference = ids[a * 16 + at]! - ids[b * 16 + at]!
    if (difference !== 0) return difference
  }
  return 0
}
