import { type ActiveQuestion, activeActors } from './active.ts'
import type { OracleEvent } from './events.ts'
import type { OracleFunnel } from './funnel.ts'
import { times, walk } from './funnel-answers.ts'
import { histogram, percentileDisc } from './rates.ts'
import { type RetentionQuestion, retention } from './retention.ts'
import { topValuesRows } from './rows.ts'
import { type TopValuesQuestion, topValues } from './top-values.ts'

/** The times of the ordered funnel of two steps, microseconds. */
export function expectedTimeBetween(all: readonly OracleEvent[], funnel: OracleFunnel) {
  const { fromFirst } = times(walk(all, funnel), funnel, 1)
  const [p50, p75, p90] = [50, 75, 90].map((percent) => percentileDisc(fromFirst, percent))
  const mean = fromFirst.length === 0 ? null : fromFirst.reduce((sum, each) => sum + each, 0) / fromFirst.length
  return {
    actors: fromFirst.length,
    p50,
    p75,
    p90,
    mean: mean === null ? null : Math.round(mean),
    histogram: histogram(fromFirst),
  }
}

export function expectedTopValues(all: readonly OracleEvent[], asked: TopValuesQuestion) {
  return topValuesRows(
    topValues(all, asked).map(({ share, ...row }) => ({ ...row, share: share.millionths / 1_000_000 })),
  )
}

export function expectedRetention(all: readonly OracleEvent[], asked: RetentionQuestion) {
  return retention(all, asked, Date.now() * 1000).map(({ rate, ...row }) => ({ ...row, rate: rate.millionths }))
}

export function expectedActive(all: readonly OracleEvent[], asked: ActiveQuestion) {
  return activeActors(all, asked).map(({ stickiness, ...row }) => ({
    ...row,
    stickiness: stickiness?.millionths ?? null,
  }))
}
