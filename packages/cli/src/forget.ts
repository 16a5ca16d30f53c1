import { databaseUrl } from './access.ts'
import { forgetAndTell } from './forget-places.ts'
import { CliError, type Verb } from './verb.ts'

export const forgetVerb: Verb = {
  usage: 'user:<uuid>|session:<id> [--yes]',
  summary: 'Forgets a person in the analytics: their events stay, as events of nobody.',
  options: { yes: { type: 'boolean' } },
  help: [
    'Says what would be done, and where; does it with --yes. It cannot be undone. No count changes.',
    'A user goes with all their sessions, so forget them before the platform deletes them.',
    '--yes           do it',
    'The database is DATABASE_URL, else the one of access.json.',
  ],
  async run(input) {
    const [actor, ...more] = input.words
    if (actor === undefined || more.length > 0)
      throw new CliError('Whom?', 'forget user:<uuid>, or session:<id> of a guest')
    const sql = 'select place, action, n from public.forget_actor($1)'
    await forgetAndTell(input, await databaseUrl(input), sql, actor)
    return 0
  },
}
