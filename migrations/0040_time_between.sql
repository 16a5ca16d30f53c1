-- time_between: how long from one event to another; the times of an ordered funnel of two steps.

set local role events_owner;

create function events_internal.time_between(p_caller name, p_first jsonb, p_second jsonb, p_from timestamptz, p_to timestamptz, p_window interval)
  returns table (actors bigint, p50 interval, p75 interval, p90 interval, mean interval, histogram jsonb)
  language plpgsql stable security definer set search_path = '' set jit = off set work_mem = '256MB' as $$
begin
  perform events_internal.require_reader(p_caller);
  perform events_internal.require_range(p_from, p_to);
  return query
    with durations as materialized (
      select c.step_times[2] - c.step_times[1] as took
      from events_internal.funnel_chains(pg_catalog.jsonb_build_object(
        'steps', pg_catalog.jsonb_build_array(p_first, p_second), 'from', p_from, 'to', p_to, 'window', events_internal.duration_of(p_window))) c
      where c.level = 2
    ), percentiles as (
      select count(*) as actors, pg_catalog.percentile_disc(array[0.5, 0.75, 0.9]) within group (order by d.took) as took,
             pg_catalog.justify_hours(pg_catalog.round(pg_catalog.avg(extract(epoch from d.took)) * 1000000) * interval '1 microsecond') as mean
      from durations d
    ), bins as (
      select pg_catalog.width_bucket(extract(epoch from d.took), events_internal.histogram_edges()) as bin, count(*) as n from durations d group by 1
    )
    select p.actors, p.took[1], p.took[2], p.took[3], p.mean, events_internal.histogram((select pg_catalog.jsonb_object_agg(b.bin, b.n) from bins b))
    from percentiles p;
end $$;
revoke all on function events_internal.time_between(name, jsonb, jsonb, timestamptz, timestamptz, interval) from public, anon, authenticated, service_role;
grant execute on function events_internal.time_between(name, jsonb, jsonb, timestamptz, timestamptz, interval) to authenticated, service_role, events_reader;
comment on function events_internal.time_between(name, jsonb, jsonb, timestamptz, timestamptz, interval) is 'Body of public.time_between.';

create function public.time_between(
  p_first jsonb, p_second jsonb, p_from timestamptz default now() - interval '30 days', p_to timestamptz default now(), p_window interval default '30 days'
) returns table (actors bigint, p50 interval, p75 interval, p90 interval, mean interval, histogram jsonb)
  language sql stable security invoker set search_path = ''
begin atomic
  select t.actors, t.p50, t.p75, t.p90, t.mean, t.histogram from events_internal.time_between(current_user, p_first, p_second, p_from, p_to, p_window) t;
end;
revoke all on function public.time_between(jsonb, jsonb, timestamptz, timestamptz, interval) from public, anon, authenticated, service_role;
grant execute on function public.time_between(jsonb, jsonb, timestamptz, timestamptz, interval) to authenticated, service_role, events_reader;
comment on function public.time_between(jsonb, jsonb, timestamptz, timestamptz, interval) is
  'How long actors took from one event to another, both in [p_from, p_to) and at most p_window apart: the times of the ordered funnel of these two steps (each a name or '
  '{ event_type | event_types, where }), so the nearest pair of each actor that ends first. Percentiles are values that occurred. For admins, events_reader and service_role. '
  'Example: select p50, p90 from time_between(''"SearchStarted"'', ''"BookingConfirmed"'', now() - interval ''7 days'', now(), ''1 day'')';

reset role;
