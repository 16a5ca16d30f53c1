import { migrateMarketplace, rollbackMarketplace } from '@platform-events/postgres'
import { databaseUrl } from './access.ts'
import { forgetGuest, GUEST_HELP } from './marketplace-forget-guest.ts'
import { INDEXES_HELP, unusedIndexes } from './marketplace-indexes.ts'
import { makeUser } from './marketplace-user.ts'
import { notMigrated } from './migrate.ts'
import { CliError, text, type Verb, type VerbInput } from './verb.ts'

const ACTIONS: Record<string, (input: VerbInput) => Promise<number>> = {
  migrate,
  rollback,
  user: makeUser,
  'forget-guest': forgetGuest,
  'unused-indexes': unusedIndexes,
}

export const marketplaceVerb: Verb = {
  usage: `${Object.keys(ACTIONS).join('|')} [options]`,
  summary: 'The marketplace module in the database: its tables and functions, made and taken back.',
  options: {
    development: { type: 'boolean' },
    force: { type: 'boolean' },
    to: { type: 'string' },
    since: { type: 'string' },
    drop: { type: 'boolean' },
    yes: { type: 'boolean' },
  },
  help: [
    'marketplace migrate     applies the files of migrations/marketplace that the database lacks; after `migrate`',
    '  --development         makes the platform’s own tables (bookings, referrals, …) in a minimal form where they are absent',
    '  --force               moves deprecated tables that hold rows, or that something depends on, to the schema marketplace_archive',
    'marketplace rollback    takes the last file back; refuses where a table of the module holds rows',
    '  --to <n>              takes back all files after number n: 0 for everything',
    '  --force               drops those tables, once their rows are copied to the schema marketplace_archive',
    'marketplace user <email>   makes a user and prints a token, where no platform signs anybody up: on a laptop',
    ...GUEST_HELP,
    ...INDEXES_HELP,
    'The database is DATABASE_URL, else the one of access.json. Wants a session: no pooler in transaction mode.',
  ],
  async run(input) {
    const [action = '', ...rest] = input.words
    const act = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined
    if (act === undefined) {
      const said = action === '' ? 'What of the marketplace?' : `There is no "marketplace ${action}".`
      throw new CliError(
        said,
        Object.keys(ACTIONS)
          .map((name) => `marketplace ${name}`)
          .join(', '),
      )
    }
    return await act({ ...input, words: rest })
  },
}

async function migrate(input: VerbInput): Promise<number> {
  const options = { development: input.options['development'] === true, force: input.options['force'] === true }
  const { applied } = await migrateMarketplace(await databaseUrl(input), options).catch(notMigrated)
  if (input.json) input.context.out(`${JSON.stringify({ applied })}\n`)
  else input.context.out(applied.length === 0 ? 'Up to date.\n' : `Applied ${applied.join(', ')}.\n`)
  return 0
}

async function rollback(input: VerbInput): Promise<number> {
  const to = numberOf(input)
  const options = { force: input.options['force'] === true, ...(to === undefined ? {} : { to }) }
  const { rolledBack } = await rollbackMarketplace(await databaseUrl(input), options).catch(notMigrated)
  if (input.json) input.context.out(`${JSON.stringify({ rolledBack })}\n`)
  else input.context.out(rolledBack.length === 0 ? 'Nothing to take back.\n' : `Took back ${rolledBack.join(', ')}.\n`)
  return 0
}

function numberOf(input: VerbInput): number | undefined {
  const to = text(input, 'to')
  if (to === undefined) return undefined
  if (!/^\d{1,4}$/.test(to)) throw new CliError(`--to ${to} is no number of a file.`, 'For example --to 4, or --to 0.')
  return Number(to)
}
