import { z } from 'zod'

const FORM =
  /^P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?=.)(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?$/

/** An ISO 8601 duration longer than nothing, such as P7D or PT12H; Postgres reads it as it is. */
export const duration = z
  .string({ error: 'wants an ISO 8601 duration, such as P7D or PT12H' })
  .regex(FORM, 'wants an ISO 8601 duration in whole numbers, such as P7D or PT12H')
  .refine((text) => /[1-9]/.test(text), 'must be longer than nothing')
