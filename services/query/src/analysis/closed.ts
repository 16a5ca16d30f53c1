import { createHash } from 'node:crypto'
import type { PoolClient } from '@platform-events/postgres'
import { dateOfDay, daysOf } from '../slices/day.ts'
import type { Range } from './period.ts'

/**
 * What the events of a range are, in a few bytes: the versions of their days' segments. Null where a day has none that stands as it is:
 * its events may change without a trace.
 */
export async function closedVersions(client: PoolClient, { fromMicros, toMicros }: Range): Promise<string | null> {
  const { first, last } = daysOf(fromMicros, toMicros)
  const { rows } = await client.query<{ days: string; versions: string | null }>(SELECT_VERSIONS, [
    dateOfDay(first),
    dateOfDay(last),
  ])
  return Number(rows[0]!.days) === last - first + 1 ? rows[0]!.versions : null
}

const SELECT_VERSIONS = `
select count(*) as days, string_agg(version::text, ',' order by day) as versions
  from events_internal.usable_segments
 where day between $1 and $2 and late_rows = 0`

/** A new number for another form of the answers: what a client keeps is then no longer the same. */
const FORM = 1

/** An entity tag (RFC 9110, section 8.8.3) of an answer that is not computed yet. */
export function etagOf(...parts: string[]): string {
  const hash = createHash('sha256').update(JSON.stringify([FORM, ...parts]))
  return `"${hash.digest('base64url').slice(0, 22)}"`
}

/** Whether a client has it already (RFC 9110, section 13.1.2). */
export function matchesEtag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  return ifNoneMatch.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
}
