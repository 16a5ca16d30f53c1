/** A share of 1 with its Wilson 95 % interval. */
export interface Rate {
  /** The share in millionths, rounded half up: a whole number, so that no double is rounded twice. */
  millionths: number
  low: number
  high: number
}

const Z = 1.959963984540054

/** k of n; null of nothing. The interval: Wilson 1927, https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval */
export function rateOf(k: number, n: number): Rate | null {
  if (n === 0) return null
  const p = k / n
  const centre = (p + (Z * Z) / (2 * n)) / (1 + (Z * Z) / n)
  const half = (Z / (1 + (Z * Z) / n)) * Math.sqrt((p * (1 - p)) / n + (Z * Z) / (4 * n * n))
  return { millionths: Math.floor((2_000_000 * k + n) / (2 * n)), low: centre - half, high: centre + half }
}

/** The least value such that at least `percent` of all are no greater; null of nothing. */
export function percentileDisc(values: readonly number[], percent: number): number | null {
  const reaching = values.filter(
    (value) => values.filter((other) => other <= value).length * 100 >= percent * values.length,
  )
  return reaching.length === 0 ? null : Math.min(...reaching)
}

const EDGES = [
  0, 10, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 172_800, 259_200, 604_800, 1_209_600, 2_592_000,
]

export interface Bin {
  from_seconds: number
  to_seconds: number | null
  actors: number
}

/** Durations in microseconds over fixed edges in seconds, the last bin open; only bins that hold something. */
export function histogram(durations: readonly number[]): Bin[] {
  return EDGES.map((edge, index) => {
    const next = EDGES[index + 1] ?? null
    const held = durations.filter(
      (micros) => micros >= edge * 1_000_000 && (next === null || micros < next * 1_000_000),
    )
    return { from_seconds: edge, to_seconds: next, actors: held.length }
  }).filter(({ actors }) => actors > 0)
}
