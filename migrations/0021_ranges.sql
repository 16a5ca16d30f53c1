-- Ranges of time: which can be answered from the rows that are kept, and in which parts.

set local role events_owner;

create function events_internal.require_range(p_from timestamptz, p_to timestamptz) returns void
  language plpgsql stable set search_path = '' as $$
begin
  if p_from is null or p_to is null then
    perform events_internal.refuse('the range of time has no ' || case when p_from is null then 'begin' else 'end' end,
      'p_from and p_to are timestamps, p_to exclusive.');
  end if;
  if p_from > p_to then
    perform events_internal.refuse('the range of time ends before it begins', 'p_from must not be after p_to.');
  end if;
end $$;
revoke all on function events_internal.require_range(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.require_range(timestamptz, timestamptz) is
  'Raises 22023 unless p_from <= p_to and neither is null. '
  'Example: select events_internal.require_range(now() - interval ''1 day'', now())';

create function events_internal.oldest_day() returns date
  language sql stable set search_path = '' as $$
    select pg_catalog.to_date(pg_catalog.right(pg_catalog.min(c.relname::text), 8), 'YYYYMMDD')
    from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.platform_events'::regclass and not i.inhdetachpending
  $$;
revoke all on function events_internal.oldest_day() from public, anon, authenticated, service_role;
comment on function events_internal.oldest_day() is
  'The UTC day of the oldest partition: raw events are kept from its start. Null if there is none. Example: select events_internal.oldest_day()';

create function events_internal.lost_before(p_from timestamptz, p_to timestamptz) returns timestamptz
  language plpgsql stable set search_path = '' as $$
declare
  kept_from constant timestamptz := coalesce(events_internal.oldest_day()::timestamp at time zone 'UTC', 'infinity');
begin
  if p_from < kept_from and exists (
    select from events_internal.event_rollup_hourly r
    where r.hour > p_from - interval '1 hour' and r.hour < least(kept_from, p_to)
    group by r.hour, r.event_type having sum(r.n) <> 0
  ) then
    return kept_from;
  end if;
  return '-infinity';
end $$;
revoke all on function events_internal.lost_before(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.lost_before(timestamptz, timestamptz) is
  'Before when rows of [p_from, p_to) are dropped; -infinity if all that ever came are there. A range may reach behind the oldest partition as long as nothing '
  'came there: on a young installation, the last 30 days are a fair question. '
  'Example: select events_internal.lost_before(now() - interval ''1 year'', now())';

create function events_internal.require_raw_events(p_from timestamptz, p_to timestamptz) returns void
  language plpgsql stable set search_path = '' as $$
begin
  if events_internal.lost_before(p_from, p_to) > p_from then
    perform events_internal.refuse(
      pg_catalog.format('raw events are kept since %s; counts without filter reach back further', coalesce(events_internal.oldest_day()::text, 'never')),
      'Begin the range on that day or later. event_counts() without filter and breakdown by a property answers for whole UTC hours before it.');
  end if;
end $$;
revoke all on function events_internal.require_raw_events(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.require_raw_events(timestamptz, timestamptz) is
  'Raises 22023 if rows of [p_from, p_to) are dropped. Example: select events_internal.require_raw_events(now() - interval ''30 days'', now())';

create function events_internal.kept_days(p_from timestamptz, p_to timestamptz) returns table (first timestamptz, before timestamptz)
  language sql stable set search_path = '' as $$
    with leaves as materialized ( -- or to_date may be asked about other tables' names
      select c.relname from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'public.platform_events'::regclass and not i.inhdetachpending
    ), days as (
      select pg_catalog.to_date(pg_catalog.right(l.relname, 8), 'YYYYMMDD')::timestamp at time zone 'UTC' as start from leaves l
    )
    select greatest(d.start, p_from), least(d.start + interval '24 hours', p_to)
    from days d
    where greatest(d.start, p_from) < least(d.start + interval '24 hours', p_to)
    order by 1
  $$;
revoke all on function events_internal.kept_days(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.kept_days(timestamptz, timestamptz) is
  'The parts [first, before) of [p_from, p_to) that lie in one partition each, ascending: what a statement over all of them is split by, so that each '
  'part has a small hash table and parallel workers take parts. Example: select * from events_internal.kept_days(now() - interval ''7 days'', now())';

reset role;
