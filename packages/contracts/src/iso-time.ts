/** A point in time to the microsecond, and its one canonical text. */
export interface IsoTime {
  /** Milliseconds since 1970, rounded down. */
  ms: number
  /** Microseconds beyond `ms`, 0 to 999. */
  micros: number
}

const FORM = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/
/** 0001-01-01 and 9999-12-31: what both four digits and Postgres can say. */
const FIRST_MS = -62_135_596_800_000
const LAST_MS = 253_402_300_799_999
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * Reads `2026-11-24T09:30:00.123456Z` strictly: ISO 8601 as RFC 3339 narrows it, with seconds and an offset (Z or ±hh:mm),
 * on a day that exists. Digits after the sixth are cut off. Null for anything else.
 */
export function parseIsoTime(text: string): IsoTime | null {
  const parts = FORM.exec(text)
  if (parts === null) return null
  const year = Number(parts[1])
  const month = Number(parts[2])
  const day = Number(parts[3])
  const hour = Number(parts[4])
  const minute = Number(parts[5])
  const second = Number(parts[6])
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null
  if (hour > 23 || minute > 59 || second > 59) return null
  const fraction = parts[7] === undefined ? 0 : Number(parts[7].slice(0, 6).padEnd(6, '0'))
  const offset = offsetMinutes(parts[8], Number(parts[9]), Number(parts[10]))
  if (offset === null) return null
  const ms = utc(year, month, day) + ((hour * 60 + minute - offset) * 60 + second) * 1000 + Math.floor(fraction / 1000)
  return representable(ms) ? { ms, micros: fraction % 1000 } : null
}

/** `2026-11-24T09:30:00.123Z`, with six digits where there are microseconds. */
export function formatIsoTime(time: IsoTime): string {
  const text = new Date(time.ms).toISOString()
  return time.micros === 0 ? text : `${text.slice(0, -1)}${String(time.micros).padStart(3, '0')}Z`
}

/** Whether a time lies in the years 1 to 9999. */
export function representable(ms: number): boolean {
  return ms >= FIRST_MS && ms <= LAST_MS
}

function daysIn(year: number, month: number): number {
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return DAYS[month - 1]! + (leap ? 1 : 0)
}

function offsetMinutes(sign: string | undefined, hours: number, minutes: number): number | null {
  if (sign === undefined) return 0
  if (hours > 23 || minutes > 59) return null
  return (sign === '-' ? -1 : 1) * (hours * 60 + minutes)
}

/** Date.UTC, but for the years before 100, which it takes for those of the 20th century. */
function utc(year: number, month: number, day: number): number {
  return year >= 100 ? Date.UTC(year, month - 1, day) : new Date(0).setUTCFullYear(year, month - 1, day)
}
