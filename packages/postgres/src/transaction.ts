import type { Socket } from 'node:net'
import { escapeLiteral, type Pool, type PoolClient } from 'pg'

export interface TransactionOptions {
  /** The transaction may change nothing. */
  readOnly?: boolean
  /** What pg_stat_activity calls the session while the transaction is open, instead of the pool's name. */
  applicationName?: string
  /** Postgres ends the session that holds the transaction without working for so long. */
  idleInTransactionTimeoutMs?: number
  /** A statement that waits longer for a lock fails with 55P03. */
  lockTimeoutMs?: number
  /** A statement that runs longer fails with 57014. */
  statementTimeoutMs?: number
  /**
   * Gives the connection up when nothing has come from the server for so long: longer than a statement may take. A host that
   * vanished without a word is otherwise noticed by TCP after a quarter of an hour, a frozen pooler never.
   */
  silenceMs?: number
}

/** Counted in turns of a timer and not by the clock, or a process that was frozen itself would blame the server. */
const SILENT_TURNS = 6

/**
 * Runs `fn` between BEGIN and COMMIT on one connection; any error of `fn` rolls back and is thrown on.
 * When COMMIT itself fails on a lost connection, nobody knows whether it happened: the caller must be able to tell.
 *
 * @returns what `fn` returned, committed
 */
export async function inTransaction<T>(
  pool: Pool,
  fn: (client: PoolClient) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const client = await pool.connect()
  const watch = options.silenceMs === undefined ? undefined : watchSilence(client, options.silenceMs)
  let broken: Error | undefined
  try {
    await client.query(beginning(options))
    const result = await fn(client)
    // COMMIT of a transaction that failed inside, with the error swallowed by fn, answers ROLLBACK and no error.
    const { command } = await client.query('commit')
    if (command !== 'COMMIT') throw new Error('the transaction had failed, and was rolled back by its COMMIT')
    return result
  } catch (error) {
    await client.query('rollback').catch((failure: Error) => {
      broken = failure
    })
    throw error
  } finally {
    clearInterval(watch)
    // A connection that cannot roll back is closed, not given to the next.
    client.release(broken)
  }
}

function watchSilence(client: PoolClient, silenceMs: number): NodeJS.Timeout {
  // Missing in the types of pg.
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
  let read = stream.bytesRead
  let turns = 0
  return setInterval(() => {
    turns = stream.bytesRead === read ? turns + 1 : 0
    read = stream.bytesRead
    if (turns >= SILENT_TURNS) stream.destroy(new Error(`Postgres said nothing for ${silenceMs / 1000} s`))
  }, silenceMs / SILENT_TURNS)
}

function beginning(options: TransactionOptions): string {
  const settings: [string, number | undefined][] = [
    ['idle_in_transaction_session_timeout', options.idleInTransactionTimeoutMs],
    ['lock_timeout', options.lockTimeoutMs],
    ['statement_timeout', options.statementTimeoutMs],
  ]
  const set = settings.filter(([, ms]) => ms !== undefined).map(([name, ms]) => `set local ${name} = ${Number(ms)}`)
  const { applicationName } = options
  if (applicationName !== undefined) set.push(`set local application_name = ${escapeLiteral(applicationName)}`)
  return [options.readOnly ? 'begin read only' : 'begin', ...set].join('; ')
}
