import { createPool, sqlstateOf } from '@platform-events/postgres'
import { databaseUrl } from './access.ts'
import { table } from './terminal.ts'
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
    const isMeant = input.options['yes'] === true
    const places = await forget(await databaseUrl(input), actor, isMeant)
    if (input.json) input.context.out(`${JSON.stringify({ forgotten: isMeant, places })}\n`)
    else input.context.out(`${format(places)}${isMeant ? '' : '\nNothing is done yet. Do it with --yes.\n'}`)
    return 0
  },
}

interface Place {
  place: string
  action: string
  /** null: not reached. */
  n: number | null
}

/** Without `isMeant` all of it is undone again: so what is told is what would be done. */
async function forget(url: string, actor: string, isMeant: boolean): Promise<Place[]> {
  const pool = createPool({ connectionString: url, applicationName: 'platform-events forget', max: 1 })
  try {
    const client = await pool.connect()
    try {
      await client.query('begin')
      const { rows } = await client.query<Omit<Place, 'n'> & { n: string | null }>(
        'select place, action, n from public.forget_actor($1)',
        [actor],
      )
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
    throw new CliError(`Nobody was forgotten: ${sqlstate} ${message}`, hint, error)
  } finally {
    await pool.end()
  }
}

function format(places: Place[]): string {
  return table(
    [{ title: 'where' }, { title: 'what' }, { title: 'rows', align: 'right' }],
    places.map(({ place, action, n }) => [place, action, n === null ? '' : String(n)]),
  )
}
