import { inTransaction, type Pool, type PoolClient, type TransactionOptions } from '@platform-events/postgres'

/**
 * Runs `work` in one transaction as this signed-in user, as PostgREST would: row level security decides what it sees and changes, whatever its
 * statements say.
 *
 * @throws what `work` throws; 23503 where a row refers to the user and the platform has none of that id any more
 */
export async function asUser<T>(
  pool: Pool,
  userId: string,
  work: (client: PoolClient) => Promise<T>,
  options?: TransactionOptions,
): Promise<T> {
  return await inTransaction(
    pool,
    async (client) => {
      await becomeUser(client, userId)
      return await work(client)
    },
    options,
  )
}

/** From here on the transaction is this signed-in user's, and its times are told in UTC. */
export async function becomeUser(client: PoolClient, userId: string): Promise<void> {
  const claims = JSON.stringify({ sub: userId, role: 'authenticated' })
  await client.query(
    `select set_config('request.jwt.claims', $1, true), set_config('role', 'authenticated', true), set_config('timezone', 'UTC', true)`,
    [claims],
  )
}

/** From here on the transaction is the service's own again. */
export async function becomeService(client: PoolClient): Promise<void> {
  await client.query(`select set_config('role', 'none', true), set_config('request.jwt.claims', '', true)`)
}
