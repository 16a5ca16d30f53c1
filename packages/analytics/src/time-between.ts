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
  const sum = micros.reduce((total, time) => total + time, 0)
  return {
    actors: micros.length,
    mean: micros.length === 0 ? null : sum / micros.length / 1e6,
    ...distributionOf(micros.slice()),
  }
}
