import { RequestError } from '@platform-events/contracts'
import { sqlstateOf } from '@platform-events/postgres'

/** The same error, but for one that says that Postgres cannot just now, which becomes RequestError database_unavailable. */
export function asRequestError(error: unknown): unknown {
  if (error instanceof RequestError) return error
  const sqlstate = sqlstateOf(error)
  const away = sqlstate === undefined ? isConnectionError(error) : UNAVAILABLE.has(sqlstate.slice(0, 2))
  if (!away && sqlstate !== READ_ONLY) return error
  return new RequestError('database_unavailable', 'Postgres does not answer.', { cause: error, retryAfterSeconds: 2 })
}

/** Connection, rollback by conflict, resources, object not in the needed state (a lock), operator intervention, system error. */
const UNAVAILABLE = new Set(['08', '40', '53', '55', '57', '58'])

/** A server that was demoted, or is to be: another will take writes soon. */
const READ_ONLY = '25006'

/** node-postgres's own errors have no SQLSTATE: the socket's codes, or a plain Error where no connection came or one ended. */
function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError) return error.errors.every(isConnectionError)
  return 'errno' in error || /^(Connection terminated|Client has encountered|timeout exceeded when)/.test(error.message)
}
