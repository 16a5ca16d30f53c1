import { reasonOf } from '@platform-events/runtime'
import { MigrationError } from './migration-files.ts'
import { classify, sqlstateOf } from './sqlstate.ts'

/** Postgres answers, but not to these settings; the message says what to look at. */
export class PostgresRefusedError extends Error {
  constructor(cause: unknown) {
    super(`Postgres refuses: ${reasonOf(cause)}. Compare DATABASE_URL with what is there.`, { cause })
    this.name = 'PostgresRefusedError'
  }
}

/** Whether this is Postgres's answer to a wrong password, an unknown user or database, or a login without rights: no wait helps. */
export function isRefusal(error: unknown): boolean {
  const sqlstate = sqlstateOf(error) ?? ''
  return sqlstate.startsWith('28') || sqlstate === '3D000' || sqlstate === '42501'
}

/** Whether this says that Postgres is away (or starting, or full), and will be back without anybody's doing here. */
export function isAway(error: unknown): boolean {
  if (error instanceof MigrationError || classify(error) !== 'retry') return false
  if (sqlstateOf(error) !== undefined) return true
  const { code, syscall } = error as NodeJS.ErrnoException
  // pg gives no code where a connection was cut or made in vain; a Unix socket that is not there is ENOENT.
  return code === undefined || syscall === 'connect' || syscall === 'getaddrinfo' || CUT.has(code)
}

const CUT = new Set(['ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'])
