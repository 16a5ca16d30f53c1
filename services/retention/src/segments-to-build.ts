import { SEGMENT_FORMAT } from '@platform-events/analytics'
import type { Day } from './day.ts'
import type { RetentionSession } from './session.ts'

/** A change that concerns all days (who marked it could not look) becomes one of each day that has, or is to have, a segment. */
const SPREAD_CHANGES = `
with general as (delete from events_internal.segment_changes where day is null returning 1)
insert into events_internal.segment_changes (day)
select s.day from events_internal.event_segments s where exists (select from general)`

const SELECT_DAYS = `
select c.day::text
  from events_internal.closed_days c
  left join events_internal.event_segments s on s.day = c.day
 where s.day is null or s.version is null or s.format <> $1
    or exists (select from events_internal.segment_changes m where m.day = c.day)
 order by c.day desc`

/** Closed days whose segment is not there, not up to date, or in another form than this version writes; the newest first, because that is what people ask about. */
export async function segmentsToBuild(session: RetentionSession): Promise<Day[]> {
  await session.client.query(SPREAD_CHANGES)
  const { rows } = await session.client.query<{ day: Day }>(SELECT_DAYS, [SEGMENT_FORMAT])
  return rows.map(({ day }) => day)
}

/** Removes a day's segment, and marks that writers left for days that have none any more. */
export async function dropSegment(session: RetentionSession, day: Day): Promise<void> {
  await session.client.query('delete from events_internal.event_segments where day = $1::date', [day])
  await session.client.query(
    `delete from events_internal.segment_changes m
      where m.day <= $1::date and not exists (select from events_internal.event_segments s where s.day = m.day)`,
    [day],
  )
}
