-- The rollup held against the rows, and mended. What retention has dropped cannot be compared any more, and is left alone.
--
-- Every transaction adds the same to the rows and to the rollup. So in any snapshot whatever the two differ by exactly the error,
-- however many loads are under way: those the snapshot sees are in both, the others in neither. Hence: look at both in one statement,
-- and add the difference on a shard that nobody else writes. Nothing is set, so nothing that is added meanwhile can be lost or doubled.

set local role events_owner;

create function events_internal.rollup_differences(p_from timestamptz, p_to timestamptz)
  returns table (hour timestamptz, event_type text, counted bigint, raw bigint)
  language plpgsql stable set search_path = '' set jit = off set work_mem = '64MB' set parallel_setup_cost = 100 set parallel_tuple_cost = 0.01 as $$
#variable_conflict use_column
declare
  first_hour constant timestamptz := pg_catalog.date_trunc('hour', p_from, 'UTC');
  before constant timestamptz := pg_catalog.date_trunc('hour', p_to - interval '1 microsecond', 'UTC') + interval '1 hour';
begin
  perform events_internal.require_range(p_from, p_to);
  return query
    select hour, event_type, coalesce(c.n, 0)::bigint, coalesce(e.n, 0)
    from (
      select pg_catalog.date_trunc('hour', e.created_at, 'UTC') as hour, e.event_type, count(*) as n
      from public.platform_events e where e.created_at >= first_hour and e.created_at < before
      group by 1, 2
    ) e
    full join (
      select r.hour, r.event_type, sum(r.n) as n
      from events_internal.event_rollup_hourly r
      join events_internal.kept_days(first_hour, before) d on r.hour >= d.first and r.hour < d.before
      group by 1, 2
    ) c using (hour, event_type)
    where coalesce(c.n, 0) <> coalesce(e.n, 0)
    order by 1, 2;
end $$;
revoke all on function events_internal.rollup_differences(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.rollup_differences(timestamptz, timestamptz) is
  'Body of verify_rollups. Stable: all of it in the snapshot of the statement that calls it. '
  'Example: select * from events_internal.rollup_differences(now() - interval ''1 day'', now())';

create function events_internal.rebuild_rollups(p_from timestamptz, p_to timestamptz) returns bigint
  language plpgsql volatile security definer set search_path = '' as $$
declare
  own_shard smallint;
  mended bigint;
begin
  -- A snapshot from before the locks would show an error that somebody else has mended by now, and it would be mended twice.
  if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'rebuild_rollups runs in a transaction that is read committed' using errcode = 'invalid_transaction_state';
  end if;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('rebuild_rollups'));
  -- No writer and no reader waits for this lock, but who detaches a day or truncates does: a day that goes between the snapshot and
  -- the scan would look as if all its rows were missing.
  lock table only public.platform_events in share update exclusive mode;
  own_shard := events_internal.lock_direct_shard();

  insert into events_internal.event_rollup_hourly as r (hour, event_type, shard, n)
  select d.hour, d.event_type, own_shard, d.raw - d.counted
  from events_internal.rollup_differences(p_from, p_to) d
  on conflict (hour, event_type, shard) do update set n = r.n + excluded.n;
  get diagnostics mended = row_count;
  return mended;
end $$;
revoke all on function events_internal.rebuild_rollups(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.rebuild_rollups(timestamptz, timestamptz) is 'Body of public.rebuild_rollups.';

create function public.verify_rollups(p_from timestamptz, p_to timestamptz)
  returns table (hour timestamptz, event_type text, counted bigint, raw bigint)
  language sql stable security invoker set search_path = ''
begin atomic
  select d.hour, d.event_type, d.counted, d.raw from events_internal.rollup_differences(p_from, p_to) d;
end;
revoke all on function public.verify_rollups(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function public.verify_rollups(timestamptz, timestamptz) is
  'Where the hourly counts differ from the rows, for the UTC hours that overlap [p_from, p_to) and whose day is still kept; no row means equal. Right also '
  'while loads are under way. For members of events_owner (the services, operators). Example: select * from verify_rollups(now() - interval ''7 days'', now())';

create function public.rebuild_rollups(p_from timestamptz, p_to timestamptz) returns bigint
  language sql volatile security invoker set search_path = ''
begin atomic
  select events_internal.rebuild_rollups(p_from, p_to);
end;
revoke all on function public.rebuild_rollups(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function public.rebuild_rollups(timestamptz, timestamptz) is
  'Mends what verify_rollups would show, beside running writers; returns how many hours × types it mended. Hours whose rows are dropped stay as they are. '
  'For members of events_owner (the services, operators). Example: select rebuild_rollups(now() - interval ''7 days'', now())';

reset role;
