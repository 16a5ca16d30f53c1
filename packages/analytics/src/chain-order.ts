/**
 * Whether chain `a` is better than chain `b` of the same length that ends no earlier: a later start, else the lesser times, else the
 * lesser places. Chains are places of rows, from `aAt` and `bAt` on; equal ones are not better.
 */
export function isBetter(
  micros: Float64Array,
  length: number,
  a: Int32Array,
  aAt: number,
  b: Int32Array,
  bAt: number,
): boolean {
  const laterStart = micros[a[aAt]!]! - micros[b[bAt]!]!
  if (laterStart !== 0) return laterStart > 0
  for (let i = 1; i < length; i++) {
    const earlier = micros[b[bAt + i]!]! - micros[a[aAt + i]!]!
    if (earlier !== 0) return earlier > 0
  }
  for (let i = 0; i < length; i++) {
    const before = b[bAt + i]! - a[aAt + i]!
    if (before !== 0) return before > 0
  }
  return false
}
