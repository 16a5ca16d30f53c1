import { DAY_MICROS } from '@platform-events/analytics'

/** The days that a range of time touches: first and last, since 1970, both inclusive; the last before the first where it is empty. */
export function daysOf(fromMicros: number, toMicros: number): { first: number; last: number } {
  return { first: Math.floor(fromMicros / DAY_MICROS), last: Math.ceil(toMicros / DAY_MICROS) - 1 }
}

/** `2026-11-24` for a day since 1970. */
export function dateOfDay(day: number): string {
  return new Date(day * (DAY_MICROS / 1000)).toISOString().slice(0, 10)
}

export function dayOfDate(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) / (DAY_MICROS / 1000)
}
