import type { Pool } from '@platform-events/postgres'

/** Who calls, as PostgREST would: a role, and for a signed-in user their id. */
export interface Caller {
  role: 'anon' | 'authenticated' | 'service_role'
  userId?: string
  /** Of the request, names in lower case. */
  headers?: Record<string, string>
}

export type AskAs = <Row extends object = Record<string, unknown>>(
  sql: string,
  values?: unknown[],
) => Promise<{ rows: Row[]; rowCount: number | null }>

/**
 * Runs `body` in one transaction as this caller, with the claims that PostgREST sets, and commits.
 *
 * @param pool of a login that may SET ROLE to the caller's
 */
export async function asCaller<T>(pool: Pool, caller: Caller, body: (ask: AskAs) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let failed = false
  try {
    await client.query('begin')
    const claims = { role: caller.role, ...(caller.userId ? { sub: caller.userId } : {}) }
    await client.query(`select set_config('request.jwt.claims', $1, true)`, [JSON.stringify(claims)])
    if (caller.headers)
      await client.query(`select set_config('request.headers', $1, true)`, [JSON.stringify(caller.headers)])
    await client.query(`set local role ${caller.role}`)
    const result = await body((sql, values) => client.query(sql, values) as never)
    await client.query('commit')
    return result
  } catch (error) {
    failed = true
    throw error
  } finally {
    client.release(failed)
  }
}

/** The SQLSTATE that a promise fails with; '' when it does not fail. */
export async function sqlstate(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return ''
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}
