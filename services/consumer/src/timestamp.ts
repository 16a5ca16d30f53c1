const UTC_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z$/

/** The years 1 to 9999, but for the last millisecond, which doubles round up to the year 10000: as the collector has it. */
const FIRST_MICROS = -62_135_596_800_000_000
const LAST_MICROS = 253_402_300_799_999_000

let lastHour = ''
let lastHourMs = 0

/**
 * An ISO 8601 time in UTC with up to six decimals, as microseconds since 1970 (exact: below 2^53 until the year 2255).
 * NaN for anything else, and for what Postgres cannot read back as text. Most events of a batch fall into one hour, so the last hour's start is kept.
 */
export function utcMicros(text: string): number {
  if (!UTC_TIME.test(text)) return Number.NaN
  const hour = text.slice(0, 13)
  if (hour !== lastHour) {
    const ms = Date.parse(`${hour}:00:00.000Z`)
    if (Number.isNaN(ms)) return Number.NaN
    lastHour = hour
    lastHourMs = ms
  }
  const minute = twoDigits(text, 14)
  const second = twoDigits(text, 17)
  if (minute > 59 || second > 59) return Number.NaN
  const micros = lastHourMs * 1000 + (minute * 60 + second) * 1_000_000 + decimals(text)
  return micros >= FIRST_MICROS && micros <= LAST_MICROS ? micros : Number.NaN
}

function twoDigits(text: string, at: number): number {
  return (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48
}

/** The decimals between the point at 19 and the Z, as microseconds. */
function decimals(text: string): number {
  let micros = 0
  for (let i = 20; i < 26; i++) {
    const digit = i < text.length - 1 ? text.charCodeAt(i) - 48 : 0
    micros = micros * 10 + digit
  }
  return micros
}
