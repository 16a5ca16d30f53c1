import { type BucketUnit, DAY_MICROS } from '@platform-events/analytics'
import { RequestError } from '@platform-events/contracts'

const MOST_BUCKETS = 10_000
const LENGTHS = { minute: 60e6, hour: 3600e6, day: DAY_MICROS, week: 7 * DAY_MICROS }

/**
 * Refuses a series that nobody would read, before anything is computed; as events_internal.bucket_starts does.
 *
 * @throws RequestError invalid_query
 */
export function requireFewBuckets(unit: BucketUnit, range: { fromMicros: number; toMicros: number }): void {
  if (unit === 'all' || longest(unit, range.fromMicros) >= range.toMicros) return
  throw new RequestError(
    'invalid_query',
    `the range of time has more than ${MOST_BUCKETS} ${unit}s. Ask for longer buckets, or a shorter range.`,
  )
}

/** Where a range ends that may not be longer. */
function longest(unit: Exclude<BucketUnit, 'all'>, fromMicros: number): number {
  if (unit !== 'month') return fromMicros + MOST_BUCKETS * LENGTHS[unit]
  const end = new Date(fromMicros / 1000)
  return end.setUTCMonth(end.getUTCMonth() + MOST_BUCKETS) * 1000
}
