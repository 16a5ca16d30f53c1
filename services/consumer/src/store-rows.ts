import { type BinaryCopy, classify, copyIn, type PoolClient, sqlstateOf } from '@platform-events/postgres'
import type { DeadLine, EventRow } from './event-row.ts'
import { COPY_COLUMNS, encodeRows } from './row-encoder.ts'
import { type RowSource, rowsOfArray } from './row-source.ts'

const COPY_EVENTS = `copy public.platform_events (${COPY_COLUMNS}) from stdin (format binary)`

const MAKE_STAGING = `
  create temporary table if not exists staged_events (like public.platform_events) on commit delete rows`

const COPY_STAGED = `copy pg_temp.staged_events (${COPY_COLUMNS}) from stdin (format binary)`

const EMPTY_STAGING = 'truncate pg_temp.staged_events'

// ON CONFLICT has no plan to get wrong: MERGE and NOT EXISTS read the whole partition, for a temporary table has no statistics.
const INSERT_NEW = `
  with stored as (
    insert into public.platform_events (${COPY_COLUMNS})
    select ${COPY_COLUMNS} from pg_temp.staged_events
    on conflict (created_at, id) do nothing
    returning id, created_at
  )
  select count(*)::int as n, string_agg(uuid_send(id) || timestamptz_send(created_at), ''::bytea) as keys from stored`

/** What became of rows. */
export interface StoredRows {
  /** Now in the table, and not before. */
  stored: EventRow[]
  duplicates: number
  dead: DeadLine[]
  /** A key was there already, or twice in the rows. */
  collided: boolean
}

export interface StoreOptions {
  /** Its buffer is reused from load to load. */
  copy: BinaryCopy
  /** Duplicates are likely: do not try the plain COPY first. */
  expectDuplicates: boolean
  /** Called for every dead row, in the order of the rows, and for every run of stored ones. May throw to end it all. */
  onDead(line: DeadLine): void
  onStored(): void
}

/**
 * Stores rows inside the transaction that is open. First by a plain COPY; where a key collides, through a temporary table and ON
 * CONFLICT DO NOTHING, so that we learn which were new; where Postgres refuses a row, in halves until it stands alone.
 *
 * @throws what is no fault of a row (see `classify`); the transaction is then of no more use
 */
export async function storeRows(client: PoolClient, source: RowSource, options: StoreOptions): Promise<StoredRows> {
  const result: StoredRows = { stored: [], duplicates: 0, dead: [], collided: false }
  if (options.expectDuplicates) await storeThroughStaging(client, source.all(), options, result)
  else await storeByCopy(client, source, options, result)
  return result
}

async function storeByCopy(client: PoolClient, source: RowSource, options: StoreOptions, result: StoredRows) {
  const refusal = await attempt(client, async () => {
    await copyIn(client, COPY_EVENTS, encodeRows(options.copy, source.slices()))
  })
  const rows = source.all()
  if (refusal === null) {
    append(result.stored, rows)
    if (rows.length > 0) options.onStored()
  } else if (classify(refusal) === 'duplicate') {
    result.collided = true
    await storeThroughStaging(client, rows, options, result)
  } else {
    await halve(rows, refusal, options, result, (half) => storeByCopy(client, rowsOfArray(half), options, result))
  }
}

async function storeThroughStaging(client: PoolClient, rows: EventRow[], options: StoreOptions, result: StoredRows) {
  if (rows.length === 0) return
  let stored: EventRow[] = []
  const refusal = await attempt(client, async () => {
    await client.query(MAKE_STAGING)
    await copyIn(client, COPY_STAGED, encodeRows(options.copy, rowsOfArray(rows).slices()))
    const answer = await client.query<{ n: number; keys: Buffer | null }>(INSERT_NEW)
    const { n, keys } = answer.rows[0]!
    stored = n === rows.length ? rows : pickByKey(rows, keys)
    await client.query(EMPTY_STAGING)
  })
  if (refusal === null) {
    append(result.stored, stored)
    result.duplicates += rows.length - stored.length
    if (stored.length < rows.length) result.collided = true
    options.onStored()
  } else {
    await halve(rows, refusal, options, result, (half) => storeThroughStaging(client, half, options, result))
  }
}

/**
 * Runs `store` under a savepoint.
 *
 * @returns null if it went well, else the error of a row, everything since the savepoint undone
 */
async function attempt(client: PoolClient, store: () => Promise<void>): Promise<Error | null> {
  await client.query('savepoint rows')
  try {
    await store()
  } catch (error) {
    const fault = classify(error)
    if (fault !== 'row' && fault !== 'duplicate') throw error
    await client.query('rollback to savepoint rows; release savepoint rows')
    return error as Error
  }
  await client.query('release savepoint rows')
  return null
}

/** Halves keep the good rows' order; a row that is refused alone is dead. */
async function halve(
  rows: EventRow[],
  refusal: Error,
  options: StoreOptions,
  result: StoredRows,
  store: (half: EventRow[]) => Promise<void>,
): Promise<void> {
  if (rows.length === 1) {
    const line = deadLine(rows[0]!, refusal)
    result.dead.push(line)
    options.onDead(line)
    return
  }
  const middle = rows.length >> 1
  await store(rows.slice(0, middle))
  await store(rows.slice(middle))
}

function deadLine(row: EventRow, refusal: Error): DeadLine {
  const { origin, line, start, end, id } = row
  const sqlstate = sqlstateOf(refusal) ?? null
  return { origin, line, start, end, eventId: id, reason: 'refused', sqlstate, message: refusal.message }
}

/** The first row of each key that Postgres says it has stored. */
function pickByKey(rows: EventRow[], keys: Buffer | null): EventRow[] {
  const stored = new Set<string>()
  for (let at = 0; keys !== null && at < keys.length; at += 24) stored.add(keys.toString('latin1', at, at + 24))
  return rows.filter((row) => stored.delete(keyOf(row)))
}

const key = Buffer.alloc(24)

/** The same 24 bytes as uuid_send and timestamptz_send make. */
function keyOf(row: EventRow): string {
  key.write(row.id.replaceAll('-', ''), 0, 'hex')
  key.writeBigInt64BE(BigInt(row.createdAt) - MICROS_1970_TO_2000, 16)
  return key.toString('latin1')
}

const MICROS_1970_TO_2000 = 946_684_800_000_000n

/** Not push(...rows): ten thousand arguments overflow the stack sooner or later. */
function append(target: EventRow[], rows: EventRow[]): void {
  for (const row of rows) target.push(row)
}
