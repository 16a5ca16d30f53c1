import { formatIsoTime, type IsoTime, representable } from './iso-time.ts'
import { LIMITS } from './limits.ts'

/** The time fields of a `LoggedEvent`. */
export interface SettledTime {
  created_at: string
  raw_created_at?: string
  time_of_receipt?: true
}

/** The clocks of one request. */
export interface Receipt {
  /** The collector's clock, milliseconds since 1970. */
  receivedAtMs: number
  /** The client's clock at this attempt; null where it did not say. */
  sentAtMs: number | null
}

/** How far the skew of a retry may differ from that of the first attempt: the time that a request may be under way. */
const JITTER_MS = 60_000

/**
 * Settles when an event happened.
 *
 * `created_at` has to come out the same on a retry, because the key of the table is (created_at, id). So it is the claim itself
 * wherever the clocks agree within the tolerance. A clock that is further off is corrected by its skew rounded to 5 minutes, which
 * an attempt more or less does not move, unless it lies near the middle between two steps. Whoever could land
 * on another value with the next attempt carries `raw_created_at` (equal to created_at where nothing was corrected *yet*),
 * which makes the consumer look for its id over the late window instead of trusting the key.
 *
 * Not recognised as the same event: a client whose clock was put right between two attempts, and one that sends no `sent_at`, is
 * more than 5 minutes ahead and tries again when its time has come. Both would need a memory of ids here.
 *
 * @param claim the client's created_at, else the time in its UUIDv7, else null: then the receipt is all that is known
 */
export function settleTime(claim: IsoTime | null, receipt: Receipt): SettledTime {
  if (claim === null) {
    return { created_at: formatIsoTime({ ms: receipt.receivedAtMs, micros: 0 }), time_of_receipt: true }
  }
  const skew = skewOf(claim, receipt)
  if (!mayBeCorrected(skew, receipt)) return { created_at: formatIsoTime(claim) }
  const corrected = { ms: claim.ms + correction(skew), micros: claim.micros }
  return {
    created_at: formatIsoTime(representable(corrected.ms) ? corrected : claim),
    raw_created_at: formatIsoTime(claim),
  }
}

/** Whether an event may be stored: `too_old` is behind the late window, `in_future` ahead of the collector's clock; else null. */
export function lateness(createdAtMs: number, receivedAtMs: number): 'too_old' | 'in_future' | null {
  if (receivedAtMs - createdAtMs > LIMITS.LATE_WINDOW_MS) return 'too_old'
  if (createdAtMs - receivedAtMs > LIMITS.CLOCK_TOLERANCE_MS) return 'in_future'
  return null
}

/** What to add to the client's clock. Without `sent_at` only a claim from the future shows that it is off. */
function skewOf(claim: IsoTime, receipt: Receipt): number {
  if (receipt.sentAtMs !== null) return receipt.receivedAtMs - receipt.sentAtMs
  return Math.min(0, receipt.receivedAtMs - claim.ms)
}

/** Without `sent_at` the skew of a retry is smaller by the whole wait, so the margin is wider. */
function mayBeCorrected(skew: number, receipt: Receipt): boolean {
  const margin = receipt.sentAtMs === null ? JITTER_MS : LIMITS.CLOCK_TOLERANCE_MS - JITTER_MS
  return Math.abs(skew) > margin
}

function correction(skew: number): number {
  const step = LIMITS.CLOCK_TOLERANCE_MS
  return Math.abs(skew) > step ? Math.round(skew / step) * step : 0
}
