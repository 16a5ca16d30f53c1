import { createPool, sqlstateOf } from '@platform-events/postgres'
import { table } from './terminal.ts'
import { CliError, type VerbInput } from './verb.ts'

interface Place {
  place: string
  action: string
  /** null: not reached. */
  n: number | null
}

/**
 * Runs a statement that forgets somebody and says where. Without --yes all of it is undone again: so what is told is what would be done.
 *
 * @param sql has $1, whom; gives place, action, n
 * @throws CliError nobody was forgotten
 */
export async function forgetAndTell(input: VerbInput, url: string, sql: string, whom: string): Promise<void> {
  const isMeant = input.options['yes'] === true
  const places = await forget(url, sql, whom, isMeant)
  if (input.json) input.context.out(`${JSON.stringify({ forgotten: isMeant, places })}\n`)
  else input.context.out(`${format(places)}${isMeant ? '' : '\nNothing is done yet. Do it with --yes.\n'}`)
}

async function forget(url: string, sql: string, whom: string, isMeant: boolean): Promise<Place[]> {
  const pool = createPool({ connectionString: url, applicationName: 'platform-events forget', max: 1 })
  try {
    const client = await pool.connect()
    try {
      await client.query('begin')
      const { rows } = await client.query<Omit<Place, 'n'> & { n: string | null }>(sql, [whom])
      await client.query(isMeant ? 'commit' : 'rollback')
      return rows.map(({ place, action, n }) => ({ place, action, n: n === null ? null : Number(n) }))
    } finally {
      client.release(true)
    }
  } catch (error) {
    const { message, hint } = error as Error & { hint?: string }
    const sqlstate = sqlstateOf(error)
    if (sqlstate === undefined)
      throw new CliError(`Postgres does not answer: ${message}`, 'Run `npm start`, or set DATABASE_URL.', error)
    if (sqlstate === '42883' || sqlstate === '3F000')
      throw new CliError('This database lacks the function that forgets.', MIGRATE, error)
    throw new CliError(`Nobody was forgotten: ${sqlstate} ${message}`, hint, error)
  } finally {
    await pool.end()
  }
}

const MIGRATE = 'Run `platform-events migrate`, and for guests `platform-events marketplace migrate`.'

function format(places: Place[]): string {
  return table(
    [{ title: 'where' }, { title: 'what' }, { title: 'rows', align: 'right' }],
    places.map(({ place, action, n }) => [place, action, n === null ? '' : String(n)]),
  )
}
