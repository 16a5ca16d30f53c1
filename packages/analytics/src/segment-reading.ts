/**
 * What comes first in a reader's transaction, in which everything is read. The lock comes before the first snapshot, so that no day is dropped or truncated
 * behind the snapshot's back (neither is seen by MVCC), and keeps off nobody but those who want to do that.
 */
export const BEGIN_READING = `
set transaction isolation level repeatable read read only;
lock table public.platform_events in access share mode`

/**
 * Days [$1, $2] whose segment may be used, with the number of rows that came since: day text, version text, row_count int, actor_count int,
 * all_properties boolean, late_rows int. All other days are read raw.
 */
export const SELECT_USABLE_DAYS = `
select day::text, version::text, row_count, actor_count, all_properties, late_rows::int
  from events_internal.usable_segments
 where day between $1::date and $2::date
 order by day`
