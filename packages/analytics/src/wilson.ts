/** Wilson's interval of 95 % for `hits` of `trials`, as fractions of 1 (E. B. Wilson, JASA 22, 1927); null where there are no trials. */
export function wilsonInterval(hits: number, trials: number): { low: number; high: number } | null {
  if (trials === 0) return null
  const share = hits / trials
  const z2n = (Z * Z) / trials
  const middle = share + z2n / 2
  const reach = Z * Math.sqrt((share * (1 - share) + z2n / 4) / trials)
  const low = hits === 0 ? 0 : (middle - reach) / (1 + z2n)
  const high = hits === trials ? 1 : (middle + reach) / (1 + z2n)
  return { low: roundToMillionths(low), high: roundToMillionths(high) }
}

/** `part` of `whole` as a fraction rounded to 6 decimals, half away from zero, as Postgres rounds numeric; null for a whole of 0. */
export function rateOf(part: number, whole: number): number | null {
  // In whole numbers, so that a half is a half: 2e6 × part is exact up to 4.5e9.
  return whole === 0 ? null : Math.floor((2e6 * part + whole) / (2 * whole)) / 1e6
}

export function roundToMillionths(value: number): number {
  return (Math.sign(value) * Math.round(Math.abs(value) * 1e6)) / 1e6
}

/** The normal distribution's 97.5th percentile. */
const Z = 1.959963984540054
