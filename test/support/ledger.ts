import type { Pool } from '@platform-events/postgres'

/** The delivery ledger's sums over all days and sources. */
export interface LedgerSums {
  received: number
  rejected: number
  accepted: number
  stored: number
  duplicate: number
  dead_lettered: number
  quarantined: number
  in_flight: number
  resent: number
}

export async function ledgerSums(pool: Pool): Promise<LedgerSums> {
  const { rows } = await pool.query<LedgerSums>(`
    select coalesce(sum(received), 0)::int as received, coalesce(sum(rejected), 0)::int as rejected,
      coalesce(sum(accepted), 0)::int as accepted, coalesce(sum(stored), 0)::int as stored,
      coalesce(sum(duplicate), 0)::int as duplicate, coalesce(sum(dead_lettered), 0)::int as dead_lettered,
      coalesce(sum(quarantined), 0)::int as quarantined, coalesce(sum(in_flight), 0)::int as in_flight,
      coalesce(sum(resent), 0)::int as resent
    from events_internal.delivery_ledger`)
  return rows[0]!
}

/** Where the ledger and a recount of the rows differ, and days on which more was settled than accepted: empty when the books balance. */
export async function ledgerFaults(pool: Pool): Promise<unknown[]> {
  const { rows } = await pool.query(`
    select day::text, source_id, account, counted::int, found::int
    from events_internal.verify_ledger(current_date - 2, current_date + 1) where counted <> found
    union all
    select day::text, source_id, 'in_flight', in_flight::int, 0 from events_internal.delivery_ledger where in_flight < 0`)
  return rows
}
