import { isUuid, type LoggedEvent } from '@platform-events/contracts'
import type { VerifyPlatformJwt } from '@platform-events/runtime'
import type { KeyHolder } from './source.ts'

/** What a request may say about users. */
export interface UserIdRule {
  /** Keep any user_id (`trust`), none (`drop`), or only the signed-in user's (`verify`). */
  policy: 'trust' | 'verify' | 'drop'
  /** Whom the request's JWT names, in lower case; null without a valid one. */
  signedIn: string | null
}

/** Settles the rule for a request; checks its token only where it can matter. */
export async function userIdRule(
  holder: KeyHolder,
  userToken: string | undefined,
  verifyJwt: VerifyPlatformJwt,
): Promise<UserIdRule> {
  const policy = holder.secret ? 'trust' : holder.source.userIds
  if (userToken === undefined || policy === 'drop') return { policy, signedIn: null }
  const userId = (await verifyJwt(userToken))?.userId
  return { policy, signedIn: isUuid(userId) ? userId.toLowerCase() : null }
}

/**
 * Applies the rule to an event: takes away a user_id that the source may not claim; an event without one belongs to the
 * signed-in user.
 *
 * @returns whether a user_id was taken away
 */
export function settleUserId(event: LoggedEvent, { policy, signedIn }: UserIdRule): boolean {
  if (event.user_id === undefined) {
    if (signedIn !== null) event.user_id = signedIn
    return false
  }
  if (policy === 'trust' || (policy === 'verify' && event.user_id === signedIn)) return false
  delete event.user_id
  return true
}
