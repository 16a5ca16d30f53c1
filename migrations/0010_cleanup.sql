-- cleanup_old_platform_events: drops the days that are older than 90 days, from SQL or the API. The retention service does
-- the same by DETACH CONCURRENTLY, which no function can.

set local role events_owner;

-- Plain DETACH takes an ACCESS EXCLUSIVE lock on the parent, and whoever comes after it queues behind it. So it waits 200 ms
-- and no longer, five times: 30 partitions took 149 ms, the worst wait of a concurrent writer 20 ms.
create function events_internal.drop_old_days(p_days int) returns void
  language plpgsql volatile security definer set search_path = '' set lock_timeout = '200ms' as $$
declare
  cutoff constant timestamptz := now() - pg_catalog.make_interval(days => p_days);
  day record;
begin
  for attempt in 1..5 loop
    begin
      -- A killed DETACH CONCURRENTLY blocks every later one until it is finalised.
      for day in select a.leaf from events_internal.attached_days() a where a.pending loop
        execute pg_catalog.format('alter table public.platform_events detach partition %s finalize', day.leaf);
      end loop;

      -- Partitions that a kill left detached: old ones go, the others come back.
      for day in select u.leaf, u.day from events_internal.unattached_days() u loop
        if (day.day + 1)::timestamp at time zone 'UTC' <= cutoff then
          execute pg_catalog.format('drop table %s', day.leaf);
        else
          perform events_internal.create_day(day.day);
        end if;
      end loop;

      for day in select a.leaf from events_internal.attached_days() a where a.upper_bound <= cutoff order by a.lower_bound loop
        execute pg_catalog.format('alter table public.platform_events detach partition %s', day.leaf);
        execute pg_catalog.format('drop table %s', day.leaf);
      end loop;
      delete from events_internal.closed_days c where (c.day + 1)::timestamp at time zone 'UTC' <= cutoff;
      return;
    exception when lock_not_available then
      perform pg_catalog.pg_sleep(0.1);
    end;
  end loop;
  raise warning 'platform_events: old partitions not dropped, the table was in use for five times 200 ms'
    using hint = 'Nothing is lost; the next run drops them. Look for long transactions on platform_events.';
end $$;
revoke all on function events_internal.drop_old_days(int) from public, anon, authenticated, service_role;
grant execute on function events_internal.drop_old_days(int) to service_role;
comment on function events_internal.drop_old_days(int) is 'Body of cleanup_old_platform_events.';

create function public.cleanup_old_platform_events() returns void
  language sql volatile security invoker set search_path = ''
begin atomic
  select events_internal.drop_old_days(90);
end;
revoke all on function public.cleanup_old_platform_events() from public, anon, authenticated, service_role;
grant execute on function public.cleanup_old_platform_events() to service_role;
comment on function public.cleanup_old_platform_events() is
  'Drops the partitions whose whole day is older than 90 days; run it daily, at least monthly. The hourly counts stay. For service_role and operators. '
  'Example: select cleanup_old_platform_events()';

reset role;
