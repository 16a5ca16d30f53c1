import { createPool, type Pool, sqlstateOf } from '@platform-events/postgres'
import { databaseUrl } from './access.ts'
import { grouped } from './terminal.ts'
import { CliError, text, type Verb, type VerbInput } from './verb.ts'

const PROGRESS_MS = 2000

export const importVerb: Verb = {
  usage: '[--batch]',
  summary: 'Copies the rows of the platform_events that was there before migrate; Ctrl-C and again at will.',
  options: { batch: { type: 'string' } },
  help: [
    '--batch <n>     rows a transaction; 5000 unless told',
    'Newest first, back to 90 days; nothing twice. The old table, events_internal.platform_events_before, stays as it is.',
    'The database is DATABASE_URL, else the one of access.json.',
  ],
  async run(input) {
    const batch = batchSize(text(input, 'batch'))
    const pool = createPool({
      connectionString: await databaseUrl(input),
      applicationName: 'platform-events import',
      max: 1,
    })
    try {
      await importAll(pool, batch, input)
      const [status] = (await pool.query<Status>('select * from events_internal.import_status()')).rows
      input.context.out(input.json ? `${JSON.stringify(numbers(status))}\n` : formatStatus(status))
      return input.context.signal.aborted ? 130 : 0
    } catch (error) {
      throw explained(error)
    } finally {
      await pool.end()
    }
  },
}

async function importAll(pool: Pool, batch: number, input: VerbInput): Promise<void> {
  let rows = 0
  let saidAt = Date.now()
  while (!input.context.signal.aborted) {
    const looked = await importBatch(pool, batch)
    if (looked === 0) return
    rows += looked
    if (input.json || Date.now() - saidAt < PROGRESS_MS) continue
    saidAt = Date.now()
    input.context.err(`${grouped(rows)} rows …\n`)
  }
}

/** Somebody else had the lock, or a deadlock was ours to lose: nothing of the batch stayed. */
const AGAIN = new Set(['55P03', '40P01', '40001'])
const ATTEMPTS = 10

async function importBatch(pool: Pool, batch: number): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { rows } = await pool.query<{ n: string }>('select events_internal.import_before($1) as n', [batch])
      return Number(rows[0]!.n)
    } catch (error) {
      if (attempt === ATTEMPTS || !AGAIN.has(sqlstateOf(error) ?? '')) throw error
      await new Promise((resolve) => setTimeout(resolve, 200 * attempt))
    }
  }
}

interface Status {
  copied: string
  to_do: string
  too_old: string
  in_future: string
  unfit: string
}

function numbers(status: Status | undefined): Record<string, number> {
  return Object.fromEntries(Object.entries(status ?? {}).map(([name, value]) => [name, Number(value)]))
}

function formatStatus(status: Status | undefined): string {
  if (status === undefined) return 'Nothing to import: there was no platform_events before.\n'
  const { copied, to_do, too_old, in_future, unfit } = numbers(status)
  const left = [
    [to_do, 'still to do: run this again'],
    [too_old, 'older than 90 days'],
    [in_future, 'more than a week ahead'],
    [unfit, 'with an event_type or session_id over 2,000 bytes'],
  ] as const
  const stay = left.filter(([n]) => n).map(([n, why]) => `  ${grouped(n ?? 0)} ${why}\n`)
  return [
    `${grouped(copied ?? 0)} events are copied.\n`,
    ...(stay.length === 0 ? [] : ['These are in events_internal.platform_events_before alone:\n', ...stay]),
  ].join('')
}

function batchSize(given: string | undefined): number {
  if (given === undefined) return 5000
  if (!/^[1-9]\d{0,5}$/.test(given)) throw new CliError(`--batch wants a whole number up to 999999, not "${given}".`)
  return Number(given)
}

function explained(error: unknown): unknown {
  if (error instanceof CliError) return error
  const sqlstate = sqlstateOf(error)
  if (sqlstate === '42883' || sqlstate === '3F000')
    return new CliError('This database has no import_before yet.', 'Run `npx platform-events migrate` first.', error)
  if (sqlstate !== undefined) return new CliError(`${sqlstate} ${(error as Error).message}`, undefined, error)
  return new CliError(
    `Postgres does not answer: ${(error as Error).message}`,
    'Compare DATABASE_URL with what runs.',
    error,
  )
}
