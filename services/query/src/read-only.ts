import { RequestError } from '@platform-events/contracts'
import {
  inTransaction,
  type Pool,
  type PoolClient,
  sqlstateOf,
  type TransactionOptions,
} from '@platform-events/postgres'

const STATEMENT_TIMEOUT_MS = 15_000

/**
 * Runs queries in one READ ONLY transaction, each bounded by a statement timeout.
 *
 * @throws RequestError database_unavailable (no connection, or Postgres cannot just now), query_timeout, invalid_query
 *   (a value that Postgres refuses); any other error of Postgres as it is, which is our fault
 */
export async function readOnly<T>(
  pool: Pool,
  run: (client: PoolClient) => Promise<T>,
  timeoutMs = STATEMENT_TIMEOUT_MS,
): Promise<T> {
  return await asking(pool, run, { readOnly: true, statementTimeoutMs: timeoutMs })
}

/** The same for what an operator does, which writes. @throws as `readOnly` */
export async function readWrite<T>(pool: Pool, run: (client: PoolClient) => Promise<T>): Promise<T> {
  return await asking(pool, run, { statementTimeoutMs: STATEMENT_TIMEOUT_MS })
}

async function asking<T>(pool: Pool, run: (client: PoolClient) => Promise<T>, options: TransactionOptions): Promise<T> {
  let begun = false
  const ask = (client: PoolClient): Promise<T> => {
    begun = true
    return run(client)
  }
  try {
    return await inTransaction(pool, ask, options)
  } catch (error) {
    // Whatever went wrong before: the pool's own timeout, say, has no code to be known by.
    throw begun && !(isReadOnlyServer(error) && !options.readOnly) ? asRequestError(error) : unavailable(error)
  }
}

/** A server that was demoted, or is to be: another will take writes soon. */
function isReadOnlyServer(error: unknown): boolean {
  return sqlstateOf(error) === '25006'
}

/** No answer, resources, operator intervention, system error, rollback by conflict, connection: Postgres cannot now. */
const UNAVAILABLE = new Set(['08', '40', '53', '55', '57', '58'])

function asRequestError(error: unknown): unknown {
  if (error instanceof RequestError) return error
  const sqlstate = sqlstateOf(error)
  if (sqlstate === '57014') return new RequestError('query_timeout', 'This query took too long.', { cause: error })
  // Our own functions refuse so what cannot be asked; what they say is for the asker.
  if (sqlstate === '22023') return new RequestError('invalid_query', refusal(error as Refusal), { cause: error })
  // Class 22: data exceptions, such as a time outside of what Postgres can hold.
  if (sqlstate?.startsWith('22'))
    return new RequestError('invalid_query', 'Postgres cannot hold a value of this request.', { cause: error })
  if (sqlstate === undefined ? isConnectionError(error) : UNAVAILABLE.has(sqlstate.slice(0, 2)))
    return unavailable(error)
  return error
}

interface Refusal {
  message: string
  hint?: string
}

function refusal({ message, hint }: Refusal): string {
  return hint === undefined ? message : `${message}. ${hint}`
}

/** node-postgres's own errors have no SQLSTATE: the socket's codes, or a plain Error where the connection ended. */
function isConnectionError(error: unknown): boolean {
  return (
    error instanceof Error && ('errno' in error || /^Connection terminated|^Client has encountered/.test(error.message))
  )
}

function unavailable(cause: unknown): RequestError {
  return new RequestError('database_unavailable', 'Postgres does not answer.', { cause, retryAfterSeconds: 2 })
}
