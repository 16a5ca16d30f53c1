import { setImmediate as turn } from 'node:timers/promises'
import { encodeSegment, SEGMENT_FORMAT } from '@platform-events/analytics'
import type { Day } from './day.ts'
import { passFence } from './fence.ts'
import { ofDay, readDay } from './read-day.ts'
import { type SegmentRows, UnfitDayError } from './segment-rows.ts'
import { dropSegment } from './segments-to-build.ts'
import { type RetentionSession, withRetries } from './session.ts'

export interface BuildOptions {
  signal: AbortSignal
  /** A day of more rows is not built, and always read raw: building takes up to 300 bytes of memory a row. 4 M unless told. */
  mostRows?: number
  /** How long a transaction that writes may hold a build up; 10 s unless told. */
  fenceTimeoutMs?: number
}

export interface BuiltSegment {
  rows: number
  actors: number
  /** Of the body and of the columns. */
  bytes: number
}

const MOST_ROWS = 4_000_000
const FENCE_TIMEOUT_MS = 10_000
/** Who maps a session waits behind us while we wait here, so not for long, and often. */
const MAPPING_LOCK_TIMEOUT_MS = 200
const MAPPING_LOCK = `hashtext('segment mapping'), 0`
/** As often as new actors may turn up between two statements. */
const TRIES = 8

/**
 * Builds the segment of a day from its rows, or builds it again. Every step, and its place, is there so that no reader can miss a row that
 * comes meanwhile: migration 0019 has the argument. The session's lock keeps a second builder away, whose new actors would break it.
 *
 * @throws UnfitDayError where the day has too many rows, or types: then it has no segment any more, nor does anybody mark it; whatever Postgres
 *   throws: then it is read raw, or from its last segment and what came since
 */
export async function buildSegment(session: RetentionSession, day: Day, options: BuildOptions): Promise<BuiltSegment> {
  await session.client.query(`set lock_timeout = ${MAPPING_LOCK_TIMEOUT_MS}`)
  try {
    const expected = await countRows(session, day)
    if (expected > (options.mostRows ?? MOST_ROWS)) throw new UnfitDayError(`${expected} rows`)
    return await buildOf(expected, session, day, options)
  } catch (error) {
    if (error instanceof UnfitDayError) await dropSegment(session, day)
    throw error
  }
}

async function buildOf(
  expected: number,
  session: RetentionSession,
  day: Day,
  options: BuildOptions,
): Promise<BuiltSegment> {
  const { client } = session
  await client.query('insert into events_internal.event_segments (day) values ($1::date) on conflict do nothing', [day])
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    await client.query(numberActors(day))
    await passFence(client, options.fenceTimeoutMs ?? FENCE_TIMEOUT_MS, options.signal)
    await beginWithSnapshot(session, options.signal)
    try {
      const missing = await client.query('select from events_internal.missing_days($1::date, $1::date)', [day])
      if (missing.rowCount !== 0) throw new Error('the day has no partition')
      const rows = await readDay(client, day, expected)
      const built = rows.withoutNumber === 0 ? await putInPlace(session, day, rows) : undefined
      await client.query(built === undefined ? 'rollback' : 'commit')
      if (built !== undefined) return built
    } catch (error) {
      await client.query('rollback').catch(() => undefined)
      throw error
    }
  }
  throw new Error('new actors came with every try')
}

async function countRows(session: RetentionSession, day: Day): Promise<number> {
  const counted = await session.client.query<{ n: string }>(
    `select count(*) as n from public.platform_events e where ${ofDay('e', day)}`,
  )
  return Number(counted.rows[0]!.n)
}

function numberActors(day: Day): string {
  return `
insert into events_internal.actors (actor_key)
select distinct coalesce(s.user_key, e.actor_key)
  from (select distinct actor_key from public.platform_events e where e.actor_key is not null and ${ofDay('e', day)}) e
  left join events_internal.session_users s on s.session_key = e.actor_key
 where not exists (select from events_internal.actors a where a.actor_key = coalesce(s.user_key, e.actor_key))
on conflict do nothing`
}

/** Opens the transaction whose snapshot the segment shows. While it is taken, no mapping that a segment must know is under way. */
async function beginWithSnapshot(session: RetentionSession, signal: AbortSignal): Promise<void> {
  const { client } = session
  await withRetries(() => client.query(`select pg_advisory_lock(${MAPPING_LOCK})`), signal)
  try {
    // Nor does anybody detach the day, or truncate, behind the snapshot.
    await client.query('begin isolation level repeatable read; lock table public.platform_events in access share mode')
    // This takes the snapshot, and then unlocks.
    await client.query(`select pg_advisory_unlock(${MAPPING_LOCK})`)
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    await client.query(`select pg_advisory_unlock(${MAPPING_LOCK})`).catch(() => undefined)
    throw error
  }
}

async function putInPlace(session: RetentionSession, day: Day, rows: SegmentRows): Promise<BuiltSegment> {
  const { client } = session
  const { slice, columns, allProperties } = await rows.finish()
  const body = encodeSegment(slice)
  const built = { rows: slice.rows, actors: slice.actorNos.length, bytes: body.length }
  const updated = await client.query(PUT_SEGMENT, [
    ...[day, built.rows, built.actors, allProperties, body, SEGMENT_FORMAT],
  ])
  if (updated.rowCount === 0) throw new Error('the day was dropped meanwhile')
  await client.query('delete from events_internal.event_segment_columns where day = $1::date', [day])
  for (const [property, column] of columns()) {
    await client.query(PUT_COLUMN, [day, property, column !== null, column])
    built.bytes += column?.length ?? 0
    // Others of this process may have waited.
    await turn()
  }
  await client.query('delete from events_internal.segment_changes where day = $1::date', [day])
  return built
}

const PUT_SEGMENT = `
update events_internal.event_segments
   set version = gen_random_uuid(), row_count = $2, actor_count = $3, all_properties = $4, body = $5, format = $6, built_at = clock_timestamp()
 where day = $1::date`

const PUT_COLUMN = `insert into events_internal.event_segment_columns (day, property, kept, body) values ($1::date, $2, $3, $4)`
