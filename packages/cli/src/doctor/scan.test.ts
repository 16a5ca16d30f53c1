import { expect, it } from 'vitest'
import { referencesIn } from './scan.ts'

const names = (source: string): string[] =>
  referencesIn(source).map(({ kind, name, line }) => `${line} ${kind} ${name}`)

it('finds tables and functions in any quotes, with types, over lines, of any client and schema', () => {
  expect(
    names(`import { supabase } from './client'
const a = await supabase.from('bookings').select('*')
await this.supabase!.from("guest_sessions")
await (await createClient()).from(\`reviews\`).insert({})
const { data } = await supabase
  .from<'x', Row>(
    'notifications',
  )
supabase.rpc('convert_guest_to_user', { p_user_id: id })
client?.rpc<number>("get_user_referral_credits")
supabase.schema('audit').from('log')`),
  ).toEqual([
    '2 from public.bookings',
    '3 from public.guest_sessions',
    '4 from public.reviews',
    '6 from public.notifications',
    '9 rpc public.convert_guest_to_user',
    '10 rpc public.get_user_referral_credits',
    '11 from audit.log',
  ])
})

it('passes over what is no table: constructors, storage, imports, comments, texts, names put together', () => {
  expect(
    names(`import x from 'y'
Array.from('abc'); Buffer.from("abc"); Readable.from(\`a\`)
supabase.storage.from('avatars').upload(); supabase.storage
  .from("avatars")
// supabase.from('old')
/* supabase
   .from('older') */
const said = "supabase.from('quoted')"
const url = 'https://example.org' // .from('x')
supabase.from(table); supabase.from(\`\${prefix}_x\`); supabase.from('two words')`),
  ).toEqual([])
  expect(names(`<p>don't</p>\nsupabase.from('after_an_apostrophe')`)).toEqual(['2 from public.after_an_apostrophe'])
})
