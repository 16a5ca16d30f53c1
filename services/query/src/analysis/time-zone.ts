import { z } from 'zod'

/** A zone of the IANA database by its name. No offsets: Postgres reads the sign of +05 the other way round. */
export const timeZone = z
  .string()
  .max(64)
  .refine(isZone, 'wants the name of a time zone, such as America/Bogota or UTC')
  .describe('IANA name of a time zone')

function isZone(name: string): boolean {
  if (/^[^/]*[-+0-9]/.test(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
