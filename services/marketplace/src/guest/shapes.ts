import { z } from 'zod'

const name = z.string().trim().min(1).max(200)
/** What forms leave empty is absent. */
const phone = z
  .string()
  .trim()
  .max(40)
  .nullish()
  .transform((text) => text || null)
const analyticsSession = z.string().min(1).max(128)

/** One form of an address: no blanks around it, lower case (ASCII: others are refused), as the table's trigger has it. */
const email = z.string().trim().toLowerCase().max(254).pipe(z.email('wants an e-mail address'))

export const NEW_SESSION = z.strictObject({
  email,
  full_name: name,
  phone,
  analytics_session_id: analyticsSession
    .optional()
    .describe("The tracker's session (getAnalyticsSessionId()), whose events become the user's at the sign-up"),
})

export const CONVERSION = z.strictObject({ session_token: z.string().min(16).max(200) })

/** A guest session as its guest sees it. */
export const SESSION = z.object({
  id: z.uuid(),
  email: z.string(),
  full_name: z.string(),
  phone: z.string().nullable(),
  expires_at: z.iso.datetime({ offset: true }),
})

export const MADE_SESSION = SESSION.extend({
  session_token: z.string().describe('The secret of this guest: 256 random bits, base64url'),
})

export const BOOKINGS = z.object({
  bookings: z
    .array(z.looseObject({}))
    .describe("Rows of the platform's bookings, the newest first, 200 at most; with all its columns"),
})

export const CONVERTED = z.object({
  bookings: z.int().min(0).describe('How many bookings the account has from this guest; the same when asked again'),
})
