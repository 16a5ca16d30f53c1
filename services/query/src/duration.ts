import { z } from 'zod'

const FORM =
  /^P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?=.)(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9}(?:\.\d{1,6})?)S)?)?$/

const DAY_SECONDS = 86_400
/** Of year, month, week, day, hour, minute, second: a day is 24 hours here, whatever the clocks do. */
const SECONDS = [365 * DAY_SECONDS, 30 * DAY_SECONDS, 7 * DAY_SECONDS, DAY_SECONDS, 3600, 60, 1]
const MAX_DAYS = 366

/** An ISO 8601 duration longer than nothing and up to 366 days, such as P7D or PT12H; Postgres reads it as it is. */
export const duration = z
  .string({ error: 'wants an ISO 8601 duration, such as P7D or PT12H' })
  .regex(FORM, 'wants an ISO 8601 duration in whole numbers, such as P7D or PT12H')
  .refine((text) => /[1-9]/.test(text), 'must be longer than nothing')
  .refine(
    (text) => !FORM.test(text) || durationMicros(text) <= MAX_DAYS * DAY_SECONDS * 1e6,
    `at most ${MAX_DAYS} days`,
  )

/** Microseconds of a duration that was checked. */
export function durationMicros(text: string): number {
  const parts = FORM.exec(text)?.slice(1) ?? []
  return Math.round(parts.reduce((sum, part, at) => sum + Number(part ?? 0) * SECONDS[at]!, 0) * 1e6)
}
