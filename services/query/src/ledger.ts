import { RequestError } from '@platform-events/contracts'
import type { Pool } from '@platform-events/postgres'
import { z } from 'zod'
import { parse } from './parse.ts'
import { readOnly } from './read-only.ts'

const day = z.iso.date({ error: 'wants a date, such as 2026-11-24' })

export const ledgerQuery = z.strictObject({ from: day.optional(), to: day.optional() })

/**
 * What came in, and what became of it, in events:
 * received = accepted + rejected, accepted = stored + duplicate + dead_lettered + quarantined + in_flight.
 */
export interface LedgerAccounts {
  received: number
  rejected: number
  accepted: number
  stored: number
  duplicate: number
  dead_lettered: number
  quarantined: number
  in_flight: number
  missing: number
  resent: number
  deleted: number
}

interface LedgerEntry extends LedgerAccounts {
  /** UTC, of receipt. */
  day: string
  source_id: number
  /** Null: of a source that is no more. */
  source: string | null
  rejected_by_code: Record<string, number>
}

/** What a collector keeps for Kafka on its own disk, as it told last: part of what is in flight. */
interface SpoolEntry {
  spool_id: string
  host: string
  events: number
  bytes: number
  reported_at: string
}

export interface LedgerAnswer {
  /** By day and source, the newest day first. */
  ledger: LedgerEntry[]
  totals: LedgerAccounts
  /** Whether the identities hold in every row: nowhere became of more events than were accepted. */
  identities_hold: boolean
  spools: SpoolEntry[]
  /** `missing` is as of then; null: never counted. */
  missing_as_of: string | null
  /** UTC days, both inclusive. */
  from: string
  to: string
  as_of: string
}

const DAY_MS = 24 * 60 * 60 * 1000
const MAX_DAYS = 366

/**
 * The delivery ledger by day and source; the last 7 days unless told.
 *
 * @param query the parsed query string: `from`, `to`, UTC days of receipt, both inclusive
 * @throws RequestError invalid_query, database_unavailable, query_timeout
 */
export async function readLedger(pool: Pool, query: unknown, nowMs: number, timeoutMs?: number): Promise<LedgerAnswer> {
  const { from, to } = days(parse(ledgerQuery, query), nowMs)
  return await readOnly(
    pool,
    async (client) => {
      const { rows } = await client.query<LedgerRow>(SELECT_LEDGER, [from, to])
      const spools = await client.query<SpoolRow>(SELECT_SPOOLS)
      const told = await client.query<{ missing_as_of: Date | null }>(SELECT_MISSING_AS_OF)
      const ledger = rows.map(toEntry)
      return {
        ledger,
        totals: totalsOf(ledger),
        identities_hold: ledger.every(holds),
        spools: spools.rows.map(toSpool),
        missing_as_of: told.rows[0]?.missing_as_of?.toISOString() ?? null,
        from,
        to,
        as_of: new Date(nowMs).toISOString(),
      }
    },
    timeoutMs,
  )
}

/** So many days, today the last of them. */
export function lastDays(count: number, nowMs: number): { from: string; to: string } {
  return { from: dayOf(nowMs - (count - 1) * DAY_MS), to: dayOf(nowMs) }
}

function days(given: { from?: string | undefined; to?: string | undefined }, nowMs: number) {
  const to = given.to ?? dayOf(nowMs)
  const from = given.from ?? dayOf(Math.min(Date.parse(to), nowMs) - 6 * DAY_MS)
  if (from > to) throw new RequestError('invalid_query', `from (${from}) must not be later than to (${to})`)
  if (Date.parse(to) - Date.parse(from) >= MAX_DAYS * DAY_MS)
    throw new RequestError('invalid_query', `from ${from} to ${to} are more than ${MAX_DAYS} days`)
  return { from, to }
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

function holds(entry: LedgerAccounts): boolean {
  const settled = entry.stored + entry.duplicate + entry.dead_lettered + entry.quarantined
  const { received, accepted, rejected, in_flight } = entry
  return received === accepted + rejected && accepted === settled + in_flight && in_flight >= 0
}

export const ACCOUNTS = [
  'received',
  'rejected',
  'accepted',
  'stored',
  'duplicate',
  'dead_lettered',
  'quarantined',
  'in_flight',
  'missing',
  'resent',
  'deleted',
] as const satisfies (keyof LedgerAccounts)[]

function totalsOf(entries: LedgerAccounts[]): LedgerAccounts {
  return accounts((account) => entries.reduce((sum, entry) => sum + entry[account], 0))
}

function accounts(of: (account: keyof LedgerAccounts) => number): LedgerAccounts {
  return Object.fromEntries(ACCOUNTS.map((account) => [account, of(account)])) as unknown as LedgerAccounts
}

const SELECT_LEDGER = `
select day::text, source_id, source, received, rejected, rejected_by_code, accepted, stored, duplicate, dead_lettered,
       quarantined, in_flight, missing, resent, deleted
  from events_internal.delivery_ledger
 where day between $1::date and $2::date
 order by day desc, source_id`

const SELECT_SPOOLS = `
select spool_id, host, events, bytes, reported_at from events_internal.spools order by host, spool_id`

const SELECT_MISSING_AS_OF = 'select max(counted_at) as missing_as_of from events_internal.stream_counts'

/** As node-postgres reads it: int8 as text. */
type LedgerRow = Record<keyof LedgerAccounts, string> & Omit<LedgerEntry, keyof LedgerAccounts>

interface SpoolRow extends Omit<SpoolEntry, 'events' | 'bytes' | 'reported_at'> {
  events: string
  bytes: string
  reported_at: Date
}

function toEntry(row: LedgerRow): LedgerEntry {
  const { day, source_id, source, rejected_by_code } = row
  return { day, source_id, source, ...accounts((account) => Number(row[account])), rejected_by_code }
}

function toSpool(row: SpoolRow): SpoolEntry {
  return {
    ...row,
    events: Number(row.events),
    bytes: Number(row.bytes),
    reported_at: row.reported_at.toISOString(),
  }
}
