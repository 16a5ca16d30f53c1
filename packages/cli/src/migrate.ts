import { createPool, MigrationError, migrate } from '@platform-events/postgres'
import { databaseUrl } from './access.ts'
import { CliError, type Verb } from './verb.ts'

export const migrateVerb: Verb = {
  usage: '',
  summary: 'Brings the database up to date; does nothing where it is.',
  options: {},
  help: ['The database is DATABASE_URL, else the one of access.json. Wants a session: no pooler in transaction mode.'],
  async run(input) {
    const url = await databaseUrl(input)
    const { applied } = await migrate(url).catch(notMigrated)
    if (input.json) input.context.out(`${JSON.stringify({ applied })}\n`)
    else input.context.out(applied.length === 0 ? 'Up to date.\n' : `Applied ${applied.join(', ')}.\n`)
    if (!input.json && (await rowsToImport(url)) > 0) input.context.out(TO_IMPORT)
    return 0
  },
}

/** @throws CliError always: why a database was not migrated */
export function notMigrated(error: Error): never {
  if (error instanceof MigrationError) throw new CliError(error.message, undefined, error)
  throw new CliError(`Postgres does not answer: ${error.message}`, 'Compare DATABASE_URL with what runs.', error)
}

const TO_IMPORT = `The platform_events that was here is now events_internal.platform_events_before. Its rows: npx platform-events import\n`

async function rowsToImport(url: string): Promise<number> {
  const pool = createPool({ connectionString: url, applicationName: 'platform-events migrate', max: 1 })
  try {
    const { rows } = await pool.query<{ to_do: string }>('select to_do from events_internal.import_status()')
    return Number(rows[0]?.to_do ?? 0)
  } finally {
    await pool.end()
  }
}
