import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '@platform-events/postgres'
import type { Check } from './verdict.ts'

const ASK_MS = 2000
/** What collectors told last, and what retention counts, has come by then. */
const SETTLED_MS = 20_000

const UNBALANCED = `
  select day, source, received, rejected, accepted, stored, duplicate, dead_lettered, quarantined, in_flight
  from events_internal.delivery_ledger
  where in_flight < 0 or received <> accepted + rejected`

const UNSETTLED = `
  select day, source, accepted, stored, duplicate, dead_lettered, quarantined, in_flight, missing
  from events_internal.delivery_ledger where in_flight <> 0 or missing <> 0`

const UNLIKE_ROWS = `
  select * from events_internal.verify_ledger(current_date - 20, current_date + 1) where counted <> found`

/** The books, looked at all the time and at the end. */
export interface LedgerWatch {
  /** Once all is quiet. @param acknowledged events that were answered by 202, by the clients' own count */
  end(acknowledged: number): Promise<Check[]>
}

export function watchLedger(pool: Pool): LedgerWatch {
  const broken = new Set<string>()
  const look = async (): Promise<void> => {
    const rows = await ask(pool, UNBALANCED).catch(() => [])
    for (const row of rows) broken.add(row)
  }
  const timer = setInterval(() => void look(), ASK_MS)
  return {
    async end(acknowledged) {
      clearInterval(timer)
      await look()
      return [
        { name: 'ledger out of balance, at any moment', broken: [...broken] },
        { name: 'ledger: in flight or missing when all is quiet', broken: await unsettled(pool) },
        { name: 'ledger: fewer accepted than acknowledged', broken: await tooFew(pool, acknowledged) },
        { name: 'ledger: other than the rows', broken: await ask(pool, UNLIKE_ROWS) },
      ]
    },
  }
}

async function unsettled(pool: Pool): Promise<string[]> {
  for (const deadline = Date.now() + SETTLED_MS; ; await sleep(500)) {
    await pool.query('select events_internal.count_missing()')
    const rows = await ask(pool, UNSETTLED)
    if (rows.length === 0 || Date.now() > deadline) return rows
  }
}

/** The one figure of the books that somebody else has counted: each of those events was accepted once at least. */
async function tooFew(pool: Pool, acknowledged: number): Promise<string[]> {
  const { rows } = await pool.query<{ accepted: number }>(
    'select coalesce(sum(accepted), 0)::int as accepted from events_internal.delivery_ledger',
  )
  const { accepted } = rows[0]!
  return accepted >= acknowledged ? [] : [`${accepted} accepted, ${acknowledged} acknowledged`]
}

async function ask(pool: Pool, sql: string): Promise<string[]> {
  return (await pool.query(sql)).rows.map((row) => JSON.stringify(row))
}
