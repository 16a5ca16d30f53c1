import { createHash } from 'node:crypto'
import type { PoolClient } from '@platform-events/postgres'
import { dateOfDay, daysOf } from '../slices/day.ts'
import type { Range } from './period.ts'

/**
 * What the events of a range are, in a few bytes: the versions of its days' segments. Null where a day is not over, or has rows and no
 * segment that stands as it is: its events may change without a trace. A day without a partition has no rows.
 */
export async function closedVersions(client: PoolClient, range: Range, nowMs: number): Promise<string | null> {
  const { first, last } = daysOf(range.fromMicros, range.toMicros)
  if (range.toMicros > nowMs * 1000) return null
  const { rows } = await client.query<VersionsRow>(SELECT_VERSIONS, [dateOfDay(first), dateOfDay(last)])
  const { days, segments, versions } = rows[0]!
  return days === segments ? versions : null
}

interface VersionsRow {
  days: string
  segments: string
  versions: string
}

const SELECT_VERSIONS = `
select (select count(*)
          from pg_inherits join pg_class on pg_class.oid = inhrelid
         where inhparent = 'public.platform_events'::regclass
           and relname between 'platform_events_' || to_char($1::date, 'YYYYMMDD') and 'platform_events_' || to_char($2::date, 'YYYYMMDD')
       ) as days,
       count(*) as segments, coalesce(string_agg(day || ' ' || version, ',' order by day), '') as versions
  from events_internal.usable_segments
 where day between $1::date and $2::date and late_rows = 0`

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
