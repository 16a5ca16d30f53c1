import { databaseUrl } from './access.ts'
import { forgetAndTell } from './forget-places.ts'
import { CliError, type VerbInput } from './verb.ts'

export const GUEST_HELP = [
  'marketplace forget-guest <id>   forgets a guest who has no account, by an id of guest_sessions: says what would be done, and where',
  '  --yes                 does it; it cannot be undone',
]

const SQL = `
select p.place, p.action, p.n from marketplace_internal.forget_guest($1) f,
  jsonb_to_recordset(f.places) p (place text, action text, n bigint)`

/** Forgets a guest everywhere: what they booked stays without them, what they did in the analytics as events of nobody. */
export async function forgetGuest(input: VerbInput): Promise<number> {
  const [id, ...more] = input.words
  if (id === undefined || more.length > 0)
    throw new CliError('Which guest?', 'marketplace forget-guest <id of guest_sessions>')
  await forgetAndTell(input, await databaseUrl(input), SQL, id)
  return 0
}
