import type { FunnelTally } from './funnel-tally.ts'
import { distributionOf, type TimeDistribution } from './time-distribution.ts'

/** Seconds from the first step to the second. */
export interface TimeBetweenAnswer extends TimeDistribution {
  actors: number
  /** null where there are no actors. */
  mean: number | null
}

/** What took how long, from the tally of a funnel of these two steps. */
export function timeBetweenAnswer(tally: FunnelTally): TimeBetweenAnswer {
  const micros = tally.times[1]!.fromFirst
  return {
    actors: micros.length,
    mean: micros.length === 0 ? null : meanOf(micros) / 1e6,
    ...distributionOf(micros.slice()),
  }
}

/** In whole microseconds, a half upwards, as SQL rounds it: a sum of many windows does not fit a double. */
function meanOf(micros: Float64Array): number {
  const count = BigInt(micros.length)
  const sum = micros.reduce((total, time) => total + BigInt(time), 0n)
  return Number((2n * sum + count) / (2n * count))
}
