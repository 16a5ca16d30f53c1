import { createPool } from '@platform-events/postgres'
import { databaseUrl } from '../access.ts'
import { CliError, text, type Verb } from '../verb.ts'
import { readSchema } from './read-schema.ts'
import { writeTypes } from './write-types.ts'

export const typesVerb: Verb = {
  usage: '[--schema]',
  summary: 'TypeScript types of tables, views and functions, as `supabase gen types` makes them, for supabase-js.',
  options: { schema: { type: 'string' } },
  help: [
    '--schema <names>  public unless told; several with commas',
    'For example: npx platform-events types > src/database.types.ts',
    'The database is DATABASE_URL, else the one of access.json.',
  ],
  async run(input) {
    const schemas = (text(input, 'schema') ?? 'public').split(',')
    const pool = createPool({
      connectionString: await databaseUrl(input),
      applicationName: 'platform-events types',
      max: 1,
    })
    try {
      const { rows } = await pool.query<{ name: string }>(
        'select name from unnest($1::text[]) name where to_regnamespace(quote_ident(name)) is null',
        [schemas],
      )
      if (rows.length > 0) throw new CliError(`There is no schema ${rows.map(({ name }) => name).join(', ')}.`)
      const written = writeTypes(await readSchema(pool, schemas), schemas)
      input.context.out(input.json ? `${JSON.stringify({ types: written })}\n` : written)
      return 0
    } catch (error) {
      if (error instanceof CliError) throw error
      throw new CliError(
        `No types were made: ${(error as Error).message}`,
        'Compare DATABASE_URL with what runs.',
        error,
      )
    } finally {
      await pool.end()
    }
  },
}
