import type { RecordBatch } from '@platform-events/event-log'
import { type BinaryCopy, inTransaction, type Pool, type PoolClient } from '@platform-events/postgres'
import { endingFrozenPredecessors, LOADING } from './blockers.ts'
import type { DeadStreak } from './dead-streak.ts'
import { withoutKnownIds } from './dedupe-by-id.ts'
import { countDelivery } from './delivery-counts.ts'
import type { DeadLine } from './event-row.ts'
import { markLateEvents } from './late-events.ts'
import { advanceOffsets, lockOffsets } from './offsets.ts'
import type { PreparedBatch } from './prepared-batch.ts'
import { addToRollup } from './rollup.ts'
import { rowsOfArray, rowsOfBatches } from './row-source.ts'
import { claimSessions } from './session-map.ts'
import { keepDead, keepQuarantined } from './set-aside.ts'
import { type StoredRows, storeRows } from './store-rows.ts'

export interface LoadOptions {
  pool: Pool
  copy: BinaryCopy
  /** 0 to 15, one for each process that loads at the same time. */
  shard: number
  expectDuplicates: boolean
  /** Dead letters are to go to their topic, too. */
  publishDead: boolean
  /** Moves on with the load, which may be undone: pass a copy. */
  streak: DeadStreak
  lockTimeoutMs?: number
}

/** What a load came to. */
export type LoadOutcome =
  /** Nothing was stored: somebody else got ahead of these batches, whose stored offsets are given. */
  | { fenced: Map<RecordBatch, number> }
  | { fenced: null; stored: number; duplicates: number; dead: number; quarantined: number; collided: boolean }

const LOCK_TIMEOUT_MS = 5000
/** A client that stops in the middle of its transaction must not hold the offsets for ever. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000
/** The longest statement takes some 100 ms, and waits for locks no longer than the lock timeout. */
const SILENCE_MS = 60_000

const NOTHING: StoredRows = { stored: [], duplicates: 0, dead: [], collided: false }

/** A topic partition was taken away before the commit. */
export class AbandonedError extends Error {}

/**
 * Stores batches in one transaction, exactly once: the offsets are compared first and moved with the rows, so whatever is
 * killed, and whenever, either everything of this load is in the database or nothing.
 *
 * @throws AbandonedError when a batch's signal aborted meanwhile, and whatever Postgres throws; nothing is stored then, except
 *   that a connection lost during COMMIT leaves it open (the next attempt finds the offsets moved)
 */
export async function load(batches: PreparedBatch[], options: LoadOptions): Promise<LoadOutcome> {
  const lockTimeoutMs = options.lockTimeoutMs ?? LOCK_TIMEOUT_MS
  return await inTransaction(options.pool, (client) => loadInto(client, batches, options, lockTimeoutMs), {
    applicationName: LOADING,
    lockTimeoutMs,
    idleInTransactionTimeoutMs: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    silenceMs: SILENCE_MS,
  })
}

async function loadInto(
  client: PoolClient,
  batches: PreparedBatch[],
  options: LoadOptions,
  lockTimeoutMs: number,
): Promise<LoadOutcome> {
  const recordBatches = batches.map(({ batch }) => batch)
  const fenced = await endingFrozenPredecessors(options.pool, client, lockTimeoutMs, () =>
    lockOffsets(client, recordBatches),
  )
  if (fenced.size > 0) return { fenced }

  const storeOptions = {
    copy: options.copy,
    expectDuplicates: options.expectDuplicates,
    onDead: (line: DeadLine) => options.streak.dead(line),
    onStored: () => options.streak.stored(),
  }
  const byKey = await storeRows(client, rowsOfBatches(batches), storeOptions)
  // After the others, which are in the table now: an id that came both ways is found there.
  const rowsById = batches.flatMap((prepared) => prepared.rowsById)
  const fresh = await withoutKnownIds(client, rowsById)
  const byId = fresh.length > 0 ? await storeRows(client, rowsOfArray(fresh), storeOptions) : NOTHING
  const stored = byId.stored.length > 0 ? [...byKey.stored, ...byId.stored] : byKey.stored
  await markLateEvents(client, stored)
  const noEvents = batches.flatMap((prepared) => prepared.dead)
  if (stored.length === 0) for (const line of noEvents) options.streak.dead(line)

  const dead = await keepDead(client, [...noEvents, ...byKey.dead, ...byId.dead], options.publishDead)
  const quarantined = await keepQuarantined(
    client,
    batches.flatMap((prepared) => prepared.quarantined),
  )
  await claimSessions(client, stored)
  await advanceOffsets(client, recordBatches)
  await countDelivery(client, batches, { stored, dead, quarantined })
  await addToRollup(client, stored, options.shard)
  if (recordBatches.some(({ signal }) => signal.aborted)) throw new AbandonedError('the topic partition was lost')
  return {
    fenced: null,
    stored: stored.length,
    duplicates: byKey.duplicates + byId.duplicates + rowsById.length - fresh.length,
    dead: dead.length,
    quarantined: quarantined.length,
    collided: byKey.collided,
  }
}
