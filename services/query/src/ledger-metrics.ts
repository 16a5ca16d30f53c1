import type { Pool } from '@platform-events/postgres'
import { Gauge, inTime, type Registry } from '@platform-events/runtime'
import { ACCOUNTS, type LedgerAccounts, lastDays, readLedger } from './ledger.ts'

/** The late window and today: what is older does not change any more. */
const DAYS = 8

/** Scrapes of several Prometheus, and of impatient people, share one look. */
const KEPT_MS = 5000

/** A scrape waits no longer for Postgres: the other figures must come also while it is away. */
const ANSWER_MS = 2000

/** The ledger's sums at the moment of the scrape. While Postgres does not answer they are absent, rather than old. */
export function ledgerMetrics(registry: Registry, pool: Pool, clock: () => number): void {
  let kept: { at: number; totals: Promise<LedgerAccounts | null> } | undefined
  const totals = async (): Promise<LedgerAccounts | null> => {
    const asked = inTime(readLedger(pool, lastDays(DAYS, clock()), clock(), ANSWER_MS), ANSWER_MS, 'Postgres')
    return await asked.then(
      (answer) => answer.totals,
      () => null,
    )
  }
  new Gauge({
    name: 'query_ledger_events',
    help: `Events of the delivery ledger by account, summed over the last ${DAYS} days and all sources`,
    labelNames: ['account'],
    registers: [registry],
    async collect() {
      if (kept === undefined || clock() - kept.at >= KEPT_MS) kept = { at: clock(), totals: totals() }
      const found = await kept.totals
      if (found === null) this.reset()
      else for (const account of ACCOUNTS) this.set({ account }, found[account])
    },
  })
}
