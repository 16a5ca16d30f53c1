/** A UTC day, `2026-11-24`; days compare as text. */
export type Day = string

const DAY_MS = 24 * 60 * 60 * 1000

export function dayAt(ms: number): Day {
  return new Date(ms).toISOString().slice(0, 10)
}

export function addDays(day: Day, days: number): Day {
  return dayAt(Date.parse(day) + days * DAY_MS)
}

/** The first instant after a day, in milliseconds since 1970. */
export function endOf(day: Day): number {
  return Date.parse(day) + DAY_MS
}

/** The name of a day's partition, without its schema. */
export function leafOf(day: Day): string {
  return `platform_events_${day.replaceAll('-', '')}`
}

/** The qualified, quoted name of a day's partition. */
export function leafName(day: Day): string {
  return `events_internal."${leafOf(day)}"`
}

/** The day of a partition's name; null for any other name. */
export function dayOfLeaf(name: string): Day | null {
  const parts = /^platform_events_(\d{4})(\d{2})(\d{2})$/.exec(name)
  if (parts === null) return null
  const ms = Date.parse(`${parts[1]}-${parts[2]}-${parts[3]}`)
  return !Number.isNaN(ms) && leafOf(dayAt(ms)) === name ? dayAt(ms) : null
}
