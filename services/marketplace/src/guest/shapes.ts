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

/**
 * Something on both sides of one @, no blanks but in quotes, no control characters nor halves of a character. Whether mail arrives, only mail
 * tells: RFC 6531 lets nearly every character into an address.
 */
const ADDRESS = /^(?:"(?:[^"\\]|\\.)+"|[^\s@"]+)@[^\s@"]+$/u
const UNPRINTABLE = /[\p{Control}\p{Surrogate}]/u

/** One form of an address: no blanks around it, lower case, as the table's trigger has it. */
const email = z
  .string()
  .trim()
  .toLowerCase()
  .max(320)
  .refine((text) => ADDRESS.test(text) && !UNPRINTABLE.test(text), 'wants an e-mail address')

export const NEW_SESSION = z.strictObject({
  email,
  full_name: name,
  phone,
  analytics_session_id: analyticsSession
    .optional()
    .describe(
      "The tracker's session (getAnalyticsSessionId()), whose events become the user's at the sign-up. It is a credential of the guest's own " +
        "browser: do not put it into links, nor show it to others. One that is another guest's or a user's is passed over, silently.",
    ),
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
