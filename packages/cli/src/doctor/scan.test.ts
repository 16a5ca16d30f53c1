import { expect, it } from 'vitest'
import { referencesIn } from './references.ts'

const names = (source: string): string[] =>
  referencesIn(source).references.map(
    ({ kind, name, line, certain }) => `${line} ${kind} ${name}${certain ? '' : ' ?'}`,
  )

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

it('finds what a constant names, what a select embeds, names with a hyphen, clients of any name', () => {
  expect(
    names(`const TABLE = 'by_constant' as const
supabase.from(TABLE)
supabase.from('a').select('*, b(*), c:d!inner(id, e!fk_hint(*)), count(), x.sum()')
Supabase.from("kebab-table")
const text = s.replace(/'/g, ''); supabase.from('after_a_regex')
const shop = createBrowserClient(url, key)
shop.from('made')
Thing.from('chained').insert({})`),
  ).toEqual([
    '2 from public.by_constant',
    '3 from public.a',
    '3 embed public.b',
    '3 embed public.d',
    '3 embed public.e',
    '4 from public.kebab-table',
    '5 from public.after_a_regex',
    '7 from public.made',
    '8 from public.chained',
  ])
})

it('is not certain of other libraries, leaves what is to be ignored, and counts what it cannot read', () => {
  expect(names(`observable.from('x'); Array.from('y'); Buffer.from('z')`)).toEqual(['1 from public.x ?'])
  expect(
    names(`supabase.from('gone') // doctor: ignore\n// doctor: ignore\nsupabase.from('x')\nsupabase.from('y')`),
  ).toEqual(['4 from public.y'])
  expect(referencesIn(`supabase.from(table); supabase.from(\`\${a}_b\`); Array.from(list)`)).toEqual({
    references: [],
    unread: 2,
  })
})
