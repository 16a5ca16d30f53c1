/** A stretch of time in which a zone's clock keeps one distance from UTC. Microseconds; local time = UTC + offset. */
export interface OffsetSpan {
  /** Since 1970, inclusive; the first span of a list begins wherever the list was asked to. */
  from: number
  /** Exclusive. */
  to: number
  offset: number
}

/**
 * The offsets of an IANA zone between two instants, from the runtime's own time zone data.
 *
 * @throws RangeError when the zone is unknown
 */
export function zoneOffsets(timeZone: string, fromMicros: number, toMicros: number): OffsetSpan[] {
  if (timeZone === 'UTC') return [{ from: fromMicros, to: toMicros, offset: 0 }]
  const offsetAt = offsetReader(timeZone)
  const spans: OffsetSpan[] = []
  let span = { from: fromMicros, to: toMicros, offset: offsetAt(fromMicros) }
  for (let low = fromMicros; low < toMicros; low += PROBE) {
    const high = Math.min(low + PROBE, toMicros)
    const offset = offsetAt(high)
    if (offset === span.offset) continue
    const change = firstSecondWith(offset, low, high, offsetAt)
    spans.push({ ...span, to: change })
    span = { from: change, to: toMicros, offset }
  }
  spans.push(span)
  return spans
}

/** No zone changes its clock twice within this. */
const PROBE = 12 * 3_600_000_000

function offsetReader(timeZone: string): (micros: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'iso8601',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  return (micros) => {
    const second = Math.floor(micros / 1e6)
    const parts = Object.fromEntries(
      format.formatToParts(second * 1000).map(({ type, value }) => [type, Number(value)]),
    )
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0 } = parts
    return (Date.UTC(year, month - 1, day, hour, minute, parts['second']) / 1000 - second) * 1e6
  }
}

function firstSecondWith(offset: number, low: number, high: number, offsetAt: (micros: number) => number): number {
  let before = Math.floor(low / 1e6)
  let after = Math.ceil(high / 1e6)
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (offsetAt(middle * 1e6) === offset) after = middle
    else before = middle
  }
  return after * 1e6
}
