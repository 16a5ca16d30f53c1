/** Tables of the platform before, which nothing should use any more. */
export const DEPRECATED = new Set([
  'booking_authorizations',
  'etta_conversations',
  'etta_messages',
  'pricing_faqs',
  'referral_credits',
  'reviews',
])

/** What existing callers of the analytics core rely on. */
export const CORE_TABLES = ['platform_events']
export const CORE_FUNCTIONS = ['get_event_counts_by_type', 'get_conversion_funnel', 'cleanup_old_platform_events']

/** What the marketplace module makes, and code of the platform refers to. */
export const MARKETPLACE_TABLES = ['amara_conversations', 'amara_messages', 'guest_sessions']
export const MARKETPLACE_FUNCTIONS = [
  'cleanup_expired_guest_sessions',
  'convert_guest_to_user',
  'get_user_referral_credits',
]

/** What the platform brings itself, and the module stands on. */
export const PLATFORM_TABLES = ['bookings', 'notifications', 'profiles', 'referrals']

/** The command that makes what is missing, if one of ours does. */
export function makes(name: string): string | undefined {
  if (CORE_TABLES.includes(name) || CORE_FUNCTIONS.includes(name)) return 'npx platform-events migrate'
  if (MARKETPLACE_TABLES.includes(name) || MARKETPLACE_FUNCTIONS.includes(name))
    return 'npx platform-events marketplace migrate'
  return undefined
}
