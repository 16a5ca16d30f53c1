import type { Pool } from '@platform-events/postgres'
import type { z } from 'zod'
import type { RECEIPT } from './shapes.ts'

const FORGET = `
select receipt_id, to_json(forgotten_at) as forgotten_at, places from marketplace_internal.forget_account($1)`

/** Deletes a user and everything of theirs. Again, it finds nothing, and says so. */
export async function forgetAccount(pool: Pool, userId: string): Promise<z.output<typeof RECEIPT>> {
  const { rows } = await pool.query<z.output<typeof RECEIPT>>(FORGET, [userId])
  return rows[0]!
}
