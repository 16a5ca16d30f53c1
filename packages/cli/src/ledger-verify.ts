import { setTimeout as sleep } from 'node:timers/promises'
import { type EventLogSettings, LogUnavailableError, readEventLog } from '@platform-events/event-log'
import { createPool, type Pool, sqlstateOf } from '@platform-events/postgres'
import { createLogger } from '@platform-events/runtime'
import { InFlight } from './in-flight.ts'
import { takeSnapshot } from './ledger-snapshot.ts'
import { CliError } from './verb.ts'

export interface VerifyOptions {
  databaseUrl: string
  log: EventLogSettings
  /** UTC days of receipt, both inclusive. */
  from: string
  to: string
  signal: AbortSignal
  /** Before it looks again for what it did not find. Default 1500: collectors tell what their spools hold every second. */
  pauseMs?: number
}

/** What the books say of an account, and what is there. */
export interface Recount {
  day: string
  source_id: number
  account: string
  counted: number
  found: number
}

export interface Verification {
  balanced: boolean
  from: string
  to: string
  /** Over all days and sources. */
  accounts: Omit<Recount, 'day' | 'source_id'>[]
  in_flight: InFlightFound
  /** Where the books and what is there differ. */
  differences: Recount[]
  /** Loss events that nobody has acknowledged. */
  open_losses: number
  /** The log that was read, where nothing was ever loaded from it though there was from another. */
  strange_log: string | null
}

interface InFlightFound {
  counted: number
  log: number
  /** Not in the log, and no more than spools hold by what their collectors told in the last two minutes. */
  spools: number
  /** Neither: lost. */
  nowhere: number
  /** Of those, what spools held whose collectors are silent since. */
  silent_spools: number
  /** Settled more often than accepted: records that are in the log twice, in two topic partitions since their number grew. */
  twice: number
}

/** What moves from a spool to the log, or is not told yet, is looked for so often before it is called lost. */
const ATTEMPTS = 4
const PAUSE_MS = 1500

/**
 * Recounts the ledger: the raw rows by SQL, what is in flight in the log itself; while events flow.
 *
 * @throws CliError when Postgres or the log cannot be read
 */
export async function verifyLedger(options: VerifyOptions): Promise<Verification> {
  const { databaseUrl, from, to, signal, pauseMs = PAUSE_MS } = options
  const pool = createPool({ connectionString: databaseUrl, applicationName: 'platform-events ledger', max: 1 })
  try {
    const rows = await recountRows(pool, from, to)
    let found = await findInFlight(pool, options)
    for (let attempt = 1; attempt < ATTEMPTS && found.differences.length > 0; attempt++) {
      await sleep(pauseMs, undefined, { signal })
      found = await findInFlight(pool, options)
    }
    const { differences, ...rest } = found
    const all = [...rows.filter(({ counted, found }) => counted !== found), ...differences]
    return { balanced: all.length === 0, from, to, accounts: sumUp(rows), ...rest, differences: all }
  } catch (error) {
    throw signal.aborted ? error : explained(error as Error)
  } finally {
    await pool.end()
  }
}

function explained(error: Error): Error {
  if (error instanceof LogUnavailableError)
    return new CliError(
      `The log cannot be read: ${error.message}`,
      'KAFKA_BROKERS, KAFKA_TOPIC and DATA_DIR say where it is, as for the services.',
      error,
    )
  const sqlstate = sqlstateOf(error)
  if (sqlstate === undefined)
    return new CliError(
      `The ledger cannot be verified: ${error.message}`,
      'If it is Postgres that does not answer: run `npm start`, or set DATABASE_URL.',
      error,
    )
  return new CliError(
    `${sqlstate} ${error.message}`,
    'Is this the right database, and up to date? npx platform-events migrate',
    error,
  )
}

const RECOUNT = `
select day::text, source_id, account, counted, found from events_internal.verify_ledger($1::date, $2::date)`

async function recountRows(pool: Pool, from: string, to: string): Promise<Recount[]> {
  type Row = Omit<Recount, 'counted' | 'found'> & { counted: string; found: string }
  const { rows } = await pool.query<Row>(RECOUNT, [from, to])
  return rows.map((row) => ({ ...row, counted: Number(row.counted), found: Number(row.found) }))
}

function sumUp(rows: Recount[]): Verification['accounts'] {
  return ['stored', 'dead_lettered', 'quarantined'].map((account) => {
    const those = rows.filter((row) => row.account === account)
    const sum = (of: 'counted' | 'found') => those.reduce((total, row) => total + row[of], 0)
    return { account, counted: sum('counted'), found: sum('found') }
  })
}

async function findInFlight(pool: Pool, { log, from, to, signal }: VerifyOptions) {
  const snapshot = await takeSnapshot(pool, from, to)
  const inFlight = new InFlight(snapshot.counts)
  const parts = await readEventLog(
    log,
    {
      from: snapshot.offsetOf,
      onRecord: ({ headers }, { partition }) => inFlight.see(headers, partition),
      signal,
    },
    createLogger({ name: 'ledger', level: 'silent' }),
  )
  const counts = inFlight.counts()
  const sum = (of: 'counted' | 'log' | 'unseen' | 'twice') => counts.reduce((total, count) => total + count[of], 0)
  const told = (isSilent: boolean) =>
    snapshot.spools.reduce((total, { events, silent }) => total + (silent === isSilent ? events : 0), 0)
  const unseen = sum('unseen')
  const spools = Math.min(unseen, told(false))
  const nowhere = unseen - spools
  const wrong = counts.filter((count) => nowhere > 0 && count.unseen > 0)
  const logId = parts[0]?.topicPartition.logId
  return {
    in_flight: {
      ...{ counted: sum('counted'), log: sum('log'), spools, nowhere, twice: sum('twice') },
      silent_spools: Math.min(nowhere, told(true)),
    },
    differences: [
      ...wrong.map(({ day, source_id, counted, log }) => ({
        day,
        source_id,
        account: 'in_flight',
        counted,
        found: log,
      })),
      ...snapshot.inFlight.flatMap(({ day, source_id, in_flight }) => {
        const own = counts.find((count) => count.day === day && count.source_id === source_id)?.counted ?? 0
        return own === in_flight && in_flight >= 0
          ? []
          : [{ day, source_id, account: 'in_flight', counted: in_flight, found: own }]
      }),
    ],
    open_losses: snapshot.openLosses,
    strange_log: logId === undefined || snapshot.loadedFrom(logId) ? null : logId,
  }
}
