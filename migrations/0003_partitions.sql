-- Partitions: one per UTC day, events_internal.platform_events_YYYYMMDD.

set local role events_owner;

create function events_internal.attached_days() returns table (leaf regclass, lower_bound timestamptz, upper_bound timestamptz, pending boolean)
  language sql stable set search_path = '' as $$
    select inhrelid::regclass,
           (pg_catalog.regexp_match(bounds, 'FROM \(''([^'']+)''\)'))[1]::timestamptz,
           (pg_catalog.regexp_match(bounds, 'TO \(''([^'']+)''\)'))[1]::timestamptz,
           inhdetachpending
    from pg_catalog.pg_inherits
    join pg_catalog.pg_class on pg_class.oid = inhrelid
    cross join lateral pg_catalog.pg_get_expr(relpartbound, pg_class.oid) as bounds
    where inhparent = 'public.platform_events'::regclass
  $$;
revoke all on function events_internal.attached_days() from public, anon, authenticated, service_role;
comment on function events_internal.attached_days() is
  'The attached partitions with their bounds [lower, upper). pending: a DETACH CONCURRENTLY was killed half-way, rows are no longer routed to it.';

create function events_internal.unattached_days() returns table (leaf regclass, day date)
  language sql stable set search_path = '' as $$
    select c.oid::regclass, pg_catalog.to_date(pg_catalog.right(c.relname, 8), 'YYYYMMDD')
    from pg_catalog.pg_class c
    where c.relnamespace = 'events_internal'::regnamespace and c.relkind = 'r' and not c.relispartition
      and c.relname ~ '^platform_events_[0-9]{8}$'
    order by c.relname
  $$;
revoke all on function events_internal.unattached_days() from public, anon, authenticated, service_role;
comment on function events_internal.unattached_days() is
  'Tables named like partitions that are attached to nothing: what a process killed between detaching and dropping leaves behind.';

create function events_internal.missing_days(from_day date, to_day date) returns setof date
  language sql stable set search_path = '' as $$
    select day::date
    from pg_catalog.generate_series(from_day::timestamp, to_day::timestamp, '1 day') as day
    where not exists (
      select from events_internal.attached_days() a
      where not a.pending
        and a.lower_bound <= day at time zone 'UTC'
        and a.upper_bound >= (day + interval '1 day') at time zone 'UTC'
    )
    order by 1
  $$;
revoke all on function events_internal.missing_days(date, date) from public, anon, authenticated, service_role;
comment on function events_internal.missing_days(date, date) is
  'UTC days of [from_day, to_day] without an attached partition, e.g. select * from events_internal.missing_days(current_date, current_date + 7).';

-- CREATE TABLE (LIKE) + ATTACH, never PARTITION OF: while a COPY of 3 s was open, PARTITION OF made the *next* writer wait
-- 2.6 s, ATTACH 12 ms. Definer, so that the partition belongs to events_owner whoever calls: a leaf of another owner
-- attaches happily and then breaks the next ALTER of the parent ("must be owner of table").
create function events_internal.create_day(day date) returns boolean
  language plpgsql volatile security definer set search_path = '' set lock_timeout = '3s' as $$
declare
  leaf_name constant text := 'platform_events_' || pg_catalog.to_char(day, 'YYYYMMDD');
  from_time constant timestamptz := day::timestamp at time zone 'UTC';
  to_time constant timestamptz := (day + 1)::timestamp at time zone 'UTC';
begin
  -- Two callers for one day: the second waits here (lock_timeout holds for advisory locks too) and finds the work done.
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('platform_events_day'), day - date '2000-01-01');

  if exists (select from events_internal.attached_days() a
             where a.pending and a.leaf = pg_catalog.to_regclass('events_internal.' || leaf_name)) then
    execute pg_catalog.format('alter table public.platform_events detach partition events_internal.%I finalize', leaf_name);
  end if;

  if not exists (select from events_internal.missing_days(day, day)) then
    return false;
  end if;

  -- A table of this name that is not attached is a partition that a killed process left detached: it is attached again.
  if pg_catalog.to_regclass('events_internal.' || leaf_name) is null then
    execute pg_catalog.format('create table events_internal.%I (like public.platform_events including all)', leaf_name);
  end if;
  execute pg_catalog.format(
    'alter table public.platform_events attach partition events_internal.%I for values from (%L) to (%L)',
    leaf_name, from_time, to_time);
  return true;
end $$;
revoke all on function events_internal.create_day(date) from public, anon, authenticated, service_role;
comment on function events_internal.create_day(date) is
  'Makes and attaches the partition of a UTC day; true if there was something to do. One day per transaction. '
  '55P03 after 3 s when another session holds the parent (a DETACH CONCURRENTLY waiting for old transactions): try again.';

-- The first insert must find its day, and a tracker may hold events back for a while.
select events_internal.create_day((now() at time zone 'UTC')::date + n) from generate_series(-7, 7) as n;

reset role;
