import { parseIsoTime, RequestError } from '@platform-events/contracts'
import { instant, period } from '../parse.ts'

export const periodFields = {
  from: instant.optional().describe('Inclusive; 30 days ago unless told'),
  to: instant.optional().describe('Exclusive; now unless told'),
}

/** A range of time as it was asked, and as walks take it. */
export interface Range {
  /** ISO 8601, inclusive. */
  from: string
  /** ISO 8601, exclusive. */
  to: string
  /** Microseconds since 1970. */
  fromMicros: number
  toMicros: number
}

/** @throws RequestError invalid_query where it ends before it begins, or lies outside of the years 1 to 9999 */
export function rangeOf(given: { from?: string | undefined; to?: string | undefined }, nowMs: number): Range {
  const { from, to } = period(given, nowMs)
  return { from, to, fromMicros: microsOf('from', from), toMicros: microsOf('to', to) }
}

function microsOf(name: string, text: string): number {
  const time = parseIsoTime(text.replace(/(T\d\d:\d\d)(?=[Z+-])/, '$1:00'))
  if (time === null) throw new RequestError('invalid_query', `${name}: no time of the years 1 to 9999: ${text}`)
  return time.ms * 1000 + time.micros
}
