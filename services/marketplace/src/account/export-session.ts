import type { Readable } from 'node:stream'
import { RequestError } from '@platform-events/contracts'
import { copyText, type Pool, type PoolClient } from '@platform-events/postgres'
import { copyCsv } from './export-csv.ts'

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
  csv(table: ExportTable): Promise<Readable>
  /** Gives the connection back, once; where the export is not whole, ends what it does. */
  close(whole: boolean): void
}

/** While the reader takes nothing COPY waits and is not idle: the second is for a process that is frozen between two tables. */
const BEGIN = `begin isolation level repeatable read read only; set local jit = off; set local statement_timeout = '30s';
  set local idle_in_transaction_session_timeout = '60s'; set local lock_timeout = '30s'`

const ACCOUNT = `
select pg_backend_pid() as pid, to_json(now()) as exported_at,
       exists (select from auth.users u where u.id = $1 and u.deleted_at is null) as is_there`

/**
 * Takes the snapshot. The registry in marketplace_internal.personal_data says what belongs in it.
 *
 * @param ended ends the session at once, also one that is being opened
 * @param limitMs one table is read for so long at most
 * @throws RequestError sign_in_required where the platform has no such user any more; or what `ended` says
 */
export async function openExport(
  pool: Pool,
  userId: string,
  { ended, limitMs }: { ended: AbortSignal; limitMs: number },
): Promise<ExportSession> {
  const client = await pool.connect()
  const connection = closing(pool, client)
  const end = () => connection.close(false)
  try {
    ended.throwIfAborted()
    ended.addEventListener('abort', end, { once: true })
    await client.query(BEGIN)
    const account = await client.query<{ pid: number; exported_at: string; is_there: boolean }>(ACCOUNT, [userId])
    const { pid, exported_at: exportedAt, is_there: isThere } = account.rows[0]!
    if (!isThere) throw new RequestError('sign_in_required', 'The platform has no such user any more.')
    connection.pid = pid
    const { rows: tables } = await client.query<ExportTable>(
      'select export_as as name, is_single as single, query from marketplace_internal.export_queries($1)',
      [userId],
    )
    await client.query(`set local statement_timeout = ${Math.ceil(limitMs)}`)
    ended.throwIfAborted()
    return { exportedAt, tables: tables.toSorted(eventsLast), ...readers(client), close: connection.close }
  } catch (error) {
    ended.removeEventListener('abort', end)
    end()
    throw error
  }
}

/** Reading them locks every partition until the end, and so holds up whoever wants to detach one. */
function eventsLast(a: ExportTable, b: ExportTable): number {
  return Number(a.name === 'events') - Number(b.name === 'events')
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
    csv: async ({ query }) => await copyCsv(client, query),
  }
}

function closing(pool: Pool, client: PoolClient): { pid?: number; close(whole: boolean): void } {
  let closed = false
  const connection: ReturnType<typeof closing> = {
    close(whole) {
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
      if (connection.pid !== undefined)
        pool.query('select pg_cancel_backend($1)', [connection.pid]).catch(() => undefined)
      client.release(true)
    },
  }
  return connection
}
