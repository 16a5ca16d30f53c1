import { type OracleEvent, within } from './events.ts'
import { actorOf, sessionUsers } from './identity.ts'
import { type Rate, rateOf } from './rates.ts'
import { bucketEnd, bucketStart } from './time-zones.ts'

export interface ActiveQuestion {
  from: number
  to: number
  types: string[] | null
  timeZone: string
}

export interface ActiveRow {
  day: number
  daily: number
  /** The 7 days that end with this one. */
  weekly: number
  /** The 30 days that end with this one. */
  monthly: number
  stickiness: Rate | null
}

/** Distinct actors of each day of [from, to) on the zone's clocks; `from` and `to` are midnights there. */
export function activeActors(all: readonly OracleEvent[], question: ActiveQuestion): ActiveRow[] {
  const { from, to, types, timeZone } = question
  const users = sessionUsers(all)
  const counted = all.filter(({ eventType }) => types === null || types.includes(eventType))
  const distinct = (start: number, end: number): number =>
    new Set(within(counted, start, end).flatMap((event) => actorOf(event, users) ?? [])).size
  const rows: ActiveRow[] = []
  for (let day = bucketStart(timeZone, 'day', from); day < to; day = bucketEnd(timeZone, 'day', day)) {
    const end = bucketEnd(timeZone, 'day', day)
    const since = (days: number): number => {
      let start = day
      for (let back = 1; back < days; back++) start = bucketStart(timeZone, 'day', start - 1)
      return start
    }
    const [daily, monthly] = [distinct(day, end), distinct(since(30), end)]
    rows.push({ day, daily, weekly: distinct(since(7), end), monthly, stickiness: rateOf(daily, monthly) })
  }
  return rows
}
