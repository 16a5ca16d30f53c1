import { describe, expectTypeOf, it } from 'vitest'
import type { Database, DatabaseJson, Tables, TablesInsert, TablesUpdate } from './index.ts'

type Public = Database['public']

// Compared by the compiler: `tsc --noEmit` fails where one does not hold.
describe('the types of the database, in the forms that users of supabase-js write', () => {
  it('rows, inserts and updates', () => {
    type Session = Public['Tables']['guest_sessions']['Row']
    expectTypeOf<Session['phone']>().toEqualTypeOf<string | null>()
    expectTypeOf<Session['email']>().toEqualTypeOf<string>()
    expectTypeOf<Tables<'guest_sessions'>>().toEqualTypeOf<Session>()
    expectTypeOf<Tables<{ schema: 'public' }, 'guest_sessions'>>().toEqualTypeOf<Session>()
    // As existing browser code inserts one.
    expectTypeOf<{ session_token: string; email: string; full_name: string }>().toExtend<
      TablesInsert<'guest_sessions'>
    >()
    expectTypeOf<{ email: string }>().not.toExtend<TablesInsert<'guest_sessions'>>()
    expectTypeOf<{ last_message_at: string }>().toExtend<TablesUpdate<'amara_conversations'>>()
    expectTypeOf<{ event_type: string; properties: { city: string } }>().toExtend<TablesInsert<'platform_events'>>()
    expectTypeOf<Public['Tables']['amara_messages']['Row']['tool_calls']>().toEqualTypeOf<DatabaseJson | null>()
    expectTypeOf<
      Public['Tables']['amara_messages']['Relationships'][0]['referencedRelation']
    >().toEqualTypeOf<'amara_conversations'>()
  })

  it('functions, with arguments that have defaults', () => {
    type Counts = Public['Functions']['get_event_counts_by_type']
    expectTypeOf<Counts['Args']>().toEqualTypeOf<{ p_end_date?: string; p_start_date?: string }>()
    expectTypeOf<Counts['Returns']>().toEqualTypeOf<{ event_count: number; event_type: string }[]>()
    expectTypeOf<Public['Functions']['convert_guest_to_user']['Args']>().toEqualTypeOf<{
      p_guest_session_id: string
      p_user_id: string
    }>()
    expectTypeOf<Public['Functions']['cleanup_expired_guest_sessions']['Returns']>().toEqualTypeOf<undefined>()
    expectTypeOf<Public['Functions']['get_user_referral_credits']['Returns']>().toEqualTypeOf<number>()
  })
})
