import type { Readable } from 'node:stream'
import { RequestError } from '@platform-events/contracts'
import { copyText, type Pool, type PoolClient } from '@platform-events/postgres'

/** What is exported under one name. */
interface ExportTable {
  name: string
  /** One row at most. */
  single: boolean
  /** Its rows, in SQL. */
  query: string
}

/** One snapshot of all that is a user's. One table is read at a time. */
export interface ExportSession {
  /** ISO 8601: the moment of the snapshot. */
  exportedAt: string
  tables: ExportTable[]
  /** One line for each row, `,{…}\n` of JSON. */
  rows(table: ExportTable): Readable
  csv(table: ExportTable): Readable
  /** Gives the connection back; where the export is not whole, ends what it does. May be called again. */
  close(whole: boolean): void
}

/** While the reader takes nothing COPY waits and is not idle: this is for a process that is frozen between two tables. */
const BEGIN = `begin isolation level repeatable read read only; set local jit = off; set local statement_timeout = 0;
  set local idle_in_transaction_session_timeout = '60s'`

const ACCOUNT = `
select pg_backend_pid() as pid, to_json(now()) as exported_at,
       exists (select from auth.users u where u.id = $1 and u.deleted_at is null) as is_there`

/**
 * Takes the snapshot. The registry in marketplace_internal.personal_data says what belongs in it.
 *
 * @throws RequestError sign_in_required where the platform has no such user any more
 */
export async function openExport(pool: Pool, userId: string): Promise<ExportSession> {
  const client = await pool.connect()
  try {
    await client.query(BEGIN)
    const account = await client.query<{ pid: number; exported_at: string; is_there: boolean }>(ACCOUNT, [userId])
    const { pid, exported_at: exportedAt, is_there: isThere } = account.rows[0]!
    if (!isThere) throw new RequestError('sign_in_required', 'The platform has no such user any more.')
    const { rows: tables } = await client.query<ExportTable>(
      'select export_as as name, is_single as single, query from marketplace_internal.export_queries($1)',
      [userId],
    )
    return { exportedAt, tables, ...readers(client), close: closer(pool, client, pid) }
  } catch (error) {
    client.release(true)
    throw error
  }
}

// JSON has no control characters, so with these as quote and delimiter nothing is quoted, and a line is the JSON and nothing else.
const AS_LINES = `(format csv, quote e'\\x01', delimiter e'\\x02')`

function readers(client: PoolClient): Pick<ExportSession, 'rows' | 'csv'> {
  return {
    rows: ({ query, single }) =>
      copyText(
        client,
        `copy (select ',' || row_to_json(r)::text from (${query}) r ${single ? 'limit 1' : ''}) to stdout ${AS_LINES}`,
      ),
    csv: ({ query }) => copyText(client, `copy (${query}) to stdout (format csv, header)`),
  }
}

function closer(pool: Pool, client: PoolClient, pid: number): (whole: boolean) => void {
  let closed = false
  return (whole) => {
    if (closed) return
    closed = true
    if (whole) {
      client.query('commit').then(
        () => client.release(),
        (error: Error) => client.release(error),
      )
      return
    }
    // A scan that finds nothing for long writes nothing, and so would not notice that nobody listens.
    pool.query('select pg_cancel_backend($1)', [pid]).catch(() => undefined)
    client.release(true)
  }
}
