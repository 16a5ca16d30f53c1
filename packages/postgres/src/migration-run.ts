import type pg from 'pg'
import { type Migration, MigrationError } from './migration-files.ts'
import { sqlstateOf } from './sqlstate.ts'

/**
 * Runs the files in one transaction, each followed by its note in the ledger.
 *
 * @throws MigrationError that says where and why a file failed; then none of them left anything
 */
export async function runTogether(
  client: pg.ClientBase,
  files: Migration[],
  note: (file: Migration) => Promise<unknown>,
): Promise<void> {
  await client.query('begin')
  try {
    // Somebody's long transaction must not make all inserts queue behind our DDL for ever.
    await client.query(`set local lock_timeout = '15s'`)
    for (const file of files) await runFile(client, file, note)
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

async function runFile(
  client: pg.ClientBase,
  file: Migration,
  note: (file: Migration) => Promise<unknown>,
): Promise<void> {
  try {
    const transaction = await transactionId(client)
    await client.query(file.sql)
    if ((await transactionId(client)) !== transaction) {
      throw new MigrationError(`${file.name} ended the transaction that it runs in: part of it may have stayed`)
    }
    await client.query('reset role')
    await note(file)
  } catch (error) {
    if (error instanceof MigrationError) throw error
    throw new MigrationError(`${file.name} failed${where(error, file.sql)}: ${explained(error)}`, { cause: error })
  }
}

/** With what Postgres says besides: our own refusals have the way out in their hint. */
function explained(error: unknown): string {
  const { message, detail, hint } = error as Error & { detail?: string; hint?: string }
  return [message, detail, hint].filter(Boolean).join('. ')
}

async function transactionId(client: pg.ClientBase): Promise<string> {
  return (await client.query<{ id: string }>('select pg_current_xact_id()::text as id')).rows[0]!.id
}

function where(error: unknown, sql: string): string {
  const position = Number((error as { position?: string }).position)
  const line = position > 0 ? ` in line ${sql.slice(0, position).split('\n').length}` : ''
  const sqlstate = sqlstateOf(error)
  return `${line}${sqlstate ? ` (SQLSTATE ${sqlstate})` : ''}`
}
