/** How long something took: percentiles in seconds (null for no values) and a histogram. */
export interface TimeDistribution {
  p50: number | null
  p75: number | null
  p90: number | null
  histogram: HistogramBin[]
}

/** Values in [from, to); the last bin is open. */
export interface HistogramBin {
  from_seconds: number
  to_seconds: number | null
  actors: number
}

/** Lower edges of the bins, seconds. */
const HISTOGRAM_EDGES = [
  0, 10, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 172_800, 259_200, 604_800, 1_209_600, 2_592_000,
]

/** @param micros durations; reordered in place, none negative */
export function distributionOf(micros: Float64Array): TimeDistribution {
  const histogram = histogramOf(micros)
  const [p50 = null, p75 = null, p90 = null] = percentiles(micros, [0.5, 0.75, 0.9])
  return { p50: seconds(p50), p75: seconds(p75), p90: seconds(p90), histogram }
}

/** Each the least value such that at least that fraction of all values is not above it (percentile_disc). Reorders the values. */
function percentiles(values: Float64Array, fractions: number[]): number[] {
  if (values.length === 0) return []
  let settled = 0
  return fractions.map((fraction) => {
    const rank = Math.max(0, Math.ceil(fraction * values.length) - 1)
    select(values, settled, rank)
    settled = rank
    return values[rank]!
  })
}

const seconds = (micros: number | null): number | null => (micros === null ? null : micros / 1e6)

/** The bin of the least number of seconds that has so many binary digits: few edges are left to try from there. */
const LEAST_BIN = Array.from({ length: 33 }, (_, digits) => {
  const least = digits === 0 ? 0 : 2 ** (digits - 1)
  return HISTOGRAM_EDGES.findLastIndex((edge) => edge <= least)
})

function histogramOf(micros: Float64Array): HistogramBin[] {
  const counts = new Uint32Array(HISTOGRAM_EDGES.length)
  const edges = Float64Array.from(HISTOGRAM_EDGES, (edge) => edge * 1e6)
  for (let i = 0; i < micros.length; i++) {
    const value = micros[i]!
    let bin = LEAST_BIN[32 - Math.clz32(value / 1e6)]!
    while (bin + 1 < edges.length && edges[bin + 1]! <= value) bin++
    counts[bin]!++
  }
  return HISTOGRAM_EDGES.map((from_seconds, bin) => ({
    from_seconds,
    to_seconds: HISTOGRAM_EDGES[bin + 1] ?? null,
    actors: counts[bin]!,
  }))
}

/** Hoare's selection: afterwards values[rank] is what sorting would put there, from `low` on. */
function select(values: Float64Array, low: number, rank: number): void {
  let high = values.length - 1
  while (low < high) {
    const pivot = values[(low + high) >> 1]!
    let left = low
    let right = high
    while (left <= right) {
      while (values[left]! < pivot) left++
      while (values[right]! > pivot) right--
      if (left > right) break
      const swapped = values[left]!
      values[left++] = values[right]!
      values[right--] = swapped
    }
    if (rank <= right) high = right
    else if (rank >= left) low = left
    else return
  }
}
