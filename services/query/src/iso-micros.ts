import { formatIsoTime } from '@platform-events/contracts'

/** `2026-11-24T09:30:00.123456Z` for microseconds since 1970; three digits where they are enough. */
export function isoOfMicros(micros: number): string {
  const ms = Math.floor(micros / 1000)
  return formatIsoTime({ ms, micros: micros - ms * 1000 })
}
