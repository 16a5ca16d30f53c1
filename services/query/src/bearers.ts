import type { Pool } from '@platform-events/postgres'
import { readOnly } from './read-only.ts'

export interface OperatorTokens {
  /** Whether a token with this sha256 exists and is not revoked; as of at most 10 s ago. */
  stands(tokenHash: Buffer): Promise<boolean>
}

/** How long a revoked token may still be believed; it also bounds what a flood of requests asks of Postgres. */
const BELIEVED_MS = 10_000
const CACHE_ENTRIES = 1000

/** Looks tokens up by their hash, so that neither the table nor the time of a comparison tells anything of a token. */
export function operatorTokens(pool: Pool, clock: () => number): OperatorTokens {
  const standing = new Map<string, number>()
  return {
    async stands(tokenHash) {
      const key = tokenHash.toString('base64')
      const believedUntil = standing.get(key)
      if (believedUntil !== undefined && clock() < believedUntil) return true
      standing.delete(key)
      const found = await readOnly(pool, (client) => client.query(SELECT_TOKEN, [tokenHash]))
      if (found.rowCount !== 1) return false
      if (standing.size >= CACHE_ENTRIES) standing.clear()
      standing.set(key, clock() + BELIEVED_MS)
      return true
    },
  }
}

const SELECT_TOKEN = `
select 1 from events_internal.operator_tokens where token_hash = $1 and revoked_at is null`

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Whether a user of the platform is an admin; false where the platform has no profiles. */
export async function isAdmin(pool: Pool, userId: string): Promise<boolean> {
  if (!UUID.test(userId)) return false
  return readOnly(pool, async (client) => {
    const profiles = await client.query(`select to_regclass('public.profiles') is not null as exist`)
    if (profiles.rows[0]?.exist !== true) return false
    const found = await client.query(`select 1 from public.profiles where id = $1 and role = 'admin'`, [userId])
    return found.rowCount === 1
  })
}
