import { MigrationError, migrate } from '@platform-events/postgres'
import { databaseUrl } from './access.ts'
import { CliError, type Verb } from './verb.ts'

export const migrateVerb: Verb = {
  usage: '',
  summary: 'Brings the database up to date; does nothing where it is.',
  options: {},
  help: ['The database is DATABASE_URL, else the one of access.json. Wants a session: no pooler in transaction mode.'],
  async run(input) {
    const url = await databaseUrl(input)
    const { applied } = await migrate(url).catch((error: Error) => {
      if (error instanceof MigrationError) throw new CliError(error.message, undefined, error)
      throw new CliError(`Postgres does not answer: ${error.message}`, 'Compare DATABASE_URL with what runs.', error)
    })
    if (input.json) input.context.out(`${JSON.stringify({ applied })}\n`)
    else input.context.out(applied.length === 0 ? 'Up to date.\n' : `Applied ${applied.join(', ')}.\n`)
    return 0
  },
}
