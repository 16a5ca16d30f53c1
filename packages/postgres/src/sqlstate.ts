/** What a batch that failed with an error calls for; see `classify`. */
export type ErrorClass = 'duplicate' | 'row' | 'no_partition' | 'ours' | 'retry'

/** The SQLSTATE that Postgres gave, also when the error was wrapped; undefined for errors that are not its own. */
export function sqlstateOf(error: unknown): string | undefined {
  return databaseError(error)?.code
}

/**
 * Tells what to do about an error, by SQLSTATE (appendix A of the Postgres manual) and never by its text:
 *
 * - `duplicate`: a key is there already; load the batch again, passing over what is stored
 * - `row`: a row that Postgres refuses; find it, and put it aside
 * - `no_partition`: no partition for a row's time; have the day made (`create_day`)
 * - `ours`: a fault of our code, schema or grants; pause, lose nothing
 * - `retry`: everything else (connection, locks, disk, shutdown …); back off and try the same again
 */
export function classify(error: unknown): ErrorClass {
  const found = databaseError(error)
  if (!found) return isProgrammingError(error) ? 'ours' : 'retry'
  const { code } = found
  if (code === '23505') return 'duplicate'
  // Both a CHECK and a missing partition are 23514; only a CHECK has a name.
  if (code === '23514') return found.constraint === undefined ? 'no_partition' : 'row'
  // A broken frame of binary COPY is our encoder's work, though it is filed under data exceptions.
  if (code === '22P04') return 'ours'
  if (ROW_CLASSES.has(code.slice(0, 2))) return 'row'
  return OUR_CLASSES.has(code.slice(0, 2)) ? 'ours' : 'retry'
}

/** Data exception, integrity constraint violation, program limit exceeded. */
const ROW_CLASSES = new Set(['22', '23', '54'])

/** Feature not supported, authorization, invalid catalog or schema name, syntax or access rule. */
const OUR_CLASSES = new Set(['0A', '28', '3D', '3F', '42'])

interface DatabaseError {
  code: string
  severity: string
  constraint?: string
}

/** Node's own codes look alike (EPIPE has five letters, too), but only Postgres sends a severity. */
function databaseError(error: unknown): DatabaseError | undefined {
  let at = error
  for (let depth = 0; depth < 5 && at instanceof Error; depth += 1) {
    const { code, severity } = at as Partial<DatabaseError> & Error
    if (typeof code === 'string' && code.length === 5 && typeof severity === 'string') return at as never
    at = at.cause
  }
  return undefined
}

function isProgrammingError(error: unknown): boolean {
  return (
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError ||
    error instanceof SyntaxError
  )
}
