import { inOrder, type OracleEvent, within } from './events.ts'
import { groupBy } from './groups.ts'
import { unitsOf } from './identity.ts'
import { type Rate, rateOf } from './rates.ts'
import { bucketEnd, bucketStart } from './time-zones.ts'

export interface RetentionQuestion {
  /** null is any event. */
  first: string | null
  returning: string | null
  from: number
  to: number
  unit: 'day' | 'week' | 'month'
  periods: number
  timeZone: string
}

export interface RetentionRow {
  cohort: number
  size: number
  period: number
  actors: number
  rate: Rate
  open: boolean
}

/** Cohorts that have somebody, by time, each with its periods 0, 1, … */
export function retention(all: readonly OracleEvent[], question: RetentionQuestion, now: number): RetentionRow[] {
  const { unit, timeZone, from, to, periods } = question
  const isOf = (type: string | null, event: OracleEvent): boolean => type === null || event.eventType === type
  const members = [...unitsOf(all, 'actor').values()].flatMap((events) => {
    const first = inOrder(within(events, from, to)).find((event) => isOf(question.first, event))
    return first ? [{ first, events, cohort: bucketStart(timeZone, unit, first.at) }] : []
  })
  return [...groupBy(members, ({ cohort }) => cohort)]
    .sort(([a], [b]) => a - b)
    .flatMap(([cohort, actors]) => {
      const rows: RetentionRow[] = []
      let start = cohort
      for (let period = 0; period < periods; period++) {
        const end = bucketEnd(timeZone, unit, start)
        const returned = actors.filter(({ first, events }) =>
          events.some(
            (event) =>
              isOf(question.returning, event) &&
              event.id !== first.id &&
              Math.max(start, first.at) <= event.at &&
              event.at < Math.min(end, now),
          ),
        ).length
        const rate = rateOf(returned, actors.length)!
        rows.push({ cohort, size: actors.length, period, actors: returned, rate, open: end > now })
        start = end
      }
      return rows
    })
}
