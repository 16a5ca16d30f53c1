import { type OracleEvent, textOf, within } from './events.ts'
import { groupBy } from './groups.ts'
import { actorOf, sessionUsers } from './identity.ts'
import { holds, type OracleFilter } from './matches.ts'
import { type Bucket, bucketEnd, bucketStart } from './time-zones.ts'

export interface CountsQuestion {
  types: string[] | null
  from: number
  to: number
  bucket: Bucket | 'all'
  /** A property, `$source` or `$event_type`. */
  breakdown: string | null
  filter: OracleFilter[]
  timeZone: string
}

export interface CountsRow {
  /** 0 for `all`. */
  bucket: number
  value: string | null
  events: number
  actors: number
}

/** Events and distinct actors per bucket and value: empty buckets are there unless broken down. By bucket, then value. */
export function eventCounts(all: readonly OracleEvent[], question: CountsQuestion): CountsRow[] {
  const { types, from, to, bucket, breakdown, filter, timeZone } = question
  const users = sessionUsers(all)
  const counted = within(all, from, to).filter(
    (event) => (types === null || types.includes(event.eventType)) && filter.every((one) => holds(event, one)),
  )
  return edges(question).flatMap(({ start, end }) => {
    const held = counted.filter(({ at }) => start <= at && at < end)
    const groups = breakdown === null ? new Map([[null, held]]) : groupBy(held, (e) => labelOf(e, breakdown))
    return [...groups]
      .map(([value, events]) => ({
        bucket: bucket === 'all' ? 0 : start,
        value,
        events: events.length,
        actors: new Set(events.map((event) => actorOf(event, users)).filter((actor) => actor !== null)).size,
      }))
      .sort((a, b) => String(a.value ?? '').localeCompare(String(b.value ?? '')))
  })

  function edges({ from, to }: CountsQuestion): { start: number; end: number }[] {
    if (bucket === 'all') return [{ start: from, end: to }]
    const found: { start: number; end: number }[] = []
    for (let start = bucketStart(timeZone, bucket, from); start < to && from < to; start = found.at(-1)!.end)
      found.push({ start, end: bucketEnd(timeZone, bucket, start) })
    return found
  }
}

function labelOf(event: OracleEvent, breakdown: string): string | null {
  if (breakdown === '$source') return String(event.sourceId)
  if (breakdown === '$event_type') return event.eventType
  return textOf(event, breakdown)
}
