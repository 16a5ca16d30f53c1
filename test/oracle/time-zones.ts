const QUARTER = 900_000_000

const formats = new Map<string, Intl.DateTimeFormat>()
const offsets = new Map<string, number>()
const starts = new Map<string, number>()

/** How far a zone's clocks are ahead of UTC at an instant, microseconds; asked of Intl, once per quarter of an hour. */
function offsetAt(timeZone: string, micros: number): number {
  const quarter = Math.floor(micros / QUARTER) * QUARTER
  const key = `${timeZone} ${quarter}`
  const known = offsets.get(key)
  if (known !== undefined) return known
  let format = formats.get(timeZone)
  if (!format) {
    const numeric = 'numeric' as const
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: numeric,
      month: numeric,
      day: numeric,
      hour: numeric,
      minute: numeric,
      second: numeric,
    })
    formats.set(timeZone, format)
  }
  const part = Object.fromEntries(format.formatToParts(quarter / 1000).map(({ type, value }) => [type, Number(value)]))
  const local = Date.UTC(part['year']!, part['month']! - 1, part['day'], part['hour'], part['minute'], part['second'])
  const offset = local * 1000 - quarter
  offsets.set(key, offset)
  return offset
}

/** The last instants before `before` at which the zone's clocks changed, the latest first; looked for quarter by quarter, two years back at most. */
export function lastTransitions(timeZone: string, before: number, count: number): number[] {
  const found: number[] = []
  let quarter = Math.floor(before / QUARTER) * QUARTER
  const oldest = before - 731 * 96 * QUARTER
  while (found.length < count && quarter > oldest) {
    // Days without a change are passed over whole.
    const dayBefore = quarter - 96 * QUARTER
    if (offsetAt(timeZone, dayBefore) === offsetAt(timeZone, quarter)) quarter = dayBefore
    else {
      while (offsetAt(timeZone, quarter - QUARTER) === offsetAt(timeZone, quarter)) quarter -= QUARTER
      found.push(quarter)
      quarter -= QUARTER
    }
  }
  return found
}

export type Bucket = 'minute' | 'hour' | 'day' | 'week' | 'month'

/**
 * The start of the bucket that holds an instant, on the zone's own clocks: walked back a quarter of an hour (a minute for minutes) at a time
 * until the local date (or date and hour) is another. Weeks begin on Monday. An hour that clocks show twice is two buckets.
 */
export function bucketStart(timeZone: string, bucket: Bucket, micros: number): number {
  if (bucket === 'minute') return Math.floor(micros / 60_000_000) * 60_000_000
  const key = `${timeZone} ${bucket} ${Math.floor(micros / QUARTER)}`
  const known = starts.get(key)
  if (known !== undefined) return known
  const label = labelAt(timeZone, bucket, micros)
  let quarter = Math.floor(micros / QUARTER) * QUARTER
  while (labelAt(timeZone, bucket, quarter - QUARTER) === label) quarter -= QUARTER
  starts.set(key, quarter)
  return quarter
}

/** The start of the next bucket. */
export function bucketEnd(timeZone: string, bucket: Bucket, micros: number): number {
  if (bucket === 'minute') return bucketStart(timeZone, bucket, micros) + 60_000_000
  const label = labelAt(timeZone, bucket, micros)
  let quarter = Math.floor(micros / QUARTER) * QUARTER
  while (labelAt(timeZone, bucket, quarter) === label) quarter += QUARTER
  return quarter
}

function labelAt(timeZone: string, bucket: Bucket, micros: number): string {
  const offset = offsetAt(timeZone, micros)
  const local = new Date((micros + offset) / 1000)
  if (bucket === 'hour') return `${local.toISOString().slice(0, 13)} ${offset}`
  if (bucket === 'month') return local.toISOString().slice(0, 7)
  if (bucket === 'week') local.setUTCDate(local.getUTCDate() - ((local.getUTCDay() + 6) % 7))
  return local.toISOString().slice(0, 10)
}
