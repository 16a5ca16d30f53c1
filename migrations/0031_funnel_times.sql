-- How long the steps of a funnel took, and how it fared day by day.

set local role events_owner;

create function events_internal.histogram_edges() returns numeric[]
  language sql immutable set search_path = '' as $$
    select '{0,10,30,60,300,900,1800,3600,10800,21600,43200,86400,172800,259200,604800,1209600,2592000}'::numeric[]
  $$;
revoke all on function events_internal.histogram_edges() from public, anon, authenticated, service_role;
comment on function events_internal.histogram_edges() is
  'Where the bins of every histogram of durations begin, in seconds; the last is open. '
  'Example: select events_internal.histogram_edges()';

create function events_internal.histogram(p_counts jsonb) returns jsonb
  language sql immutable set search_path = '' as $$
    select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'from_seconds', e.edges[n], 'to_seconds', e.edges[n + 1], 'actors', coalesce(p_counts -> n::text, '0')) order by n)
    from (select events_internal.histogram_edges()) e (edges), pg_catalog.generate_subscripts(e.edges, 1) n
  $$;
revoke all on function events_internal.histogram(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.histogram(jsonb) is
  'A histogram [{ from_seconds, to_seconds (null: open), actors }] of { number of the bin in histogram_edges(), from 1: actors }, or null for nobody. '
  'Example: select events_internal.histogram(''{"1": 3}'')';

create function events_internal.funnel_times(p_caller name, p_funnel jsonb) returns table (
    step int, name text, actors bigint, p50_from_previous interval, p75_from_previous interval, p90_from_previous interval,
    p50_from_first interval, p75_from_first interval, p90_from_first interval, histogram jsonb)
  language plpgsql stable security definer set search_path = '' set work_mem = '256MB' set jit = off as $$
declare
  definition jsonb;
begin
  perform events_internal.require_reader(p_caller);
  definition := events_internal.funnel_definition(p_funnel);
  return query
    with steps as (select s.* from events_internal.funnel_steps(definition) s),
    durations as materialized (
      select s.step, c.step_times[s.step] - c.step_times[1] as from_first,
        case when s.step > 1 then c.step_times[s.step] - case when s.optional
          then (select pg_catalog.max(t) from pg_catalog.unnest(c.step_times[: s.step - 1]) t) else c.step_times[s.previous] end end as from_previous
      from events_internal.funnel_chains_of(definition) c cross join steps s
      where c.step_times[s.step] is not null
    ), percentiles as (
      select d.step, pg_catalog.count(*) as actors,
        pg_catalog.percentile_disc(array[0.5, 0.75, 0.9]) within group (order by d.from_previous) as from_previous,
        pg_catalog.percentile_disc(array[0.5, 0.75, 0.9]) within group (order by d.from_first) as from_first
      from durations d group by d.step
    ), bins as (
      select b.step, pg_catalog.jsonb_object_agg(b.bin, b.actors) as counts
      from (
        select d.step, pg_catalog.width_bucket(extract(epoch from d.from_previous), events_internal.histogram_edges()) as bin, pg_catalog.count(*) as actors
        from durations d where d.step > 1 group by 1, 2
      ) b group by b.step
    )
    select s.step, s.name, coalesce(p.actors, 0), p.from_previous[1], p.from_previous[2], p.from_previous[3],
      p.from_first[1], p.from_first[2], p.from_first[3], case when s.step > 1 then events_internal.histogram(b.counts) end
    from steps s left join percentiles p on p.step = s.step left join bins b on b.step = s.step
    order by s.step;
end $$;
revoke all on function events_internal.funnel_times(name, jsonb) from public, anon, authenticated, service_role;
grant execute on function events_internal.funnel_times(name, jsonb) to authenticated, service_role, events_reader;
comment on function events_internal.funnel_times(name, jsonb) is 'Body of funnel_times().';

create function public.funnel_times(p_funnel jsonb) returns table (
    step int, name text, actors bigint, p50_from_previous interval, p75_from_previous interval, p90_from_previous interval,
    p50_from_first interval, p75_from_first interval, p90_from_first interval, histogram jsonb)
  language sql stable security invoker set search_path = ''
begin atomic
  select t.step, t.name, t.actors, t.p50_from_previous, t.p75_from_previous, t.p90_from_previous, t.p50_from_first, t.p75_from_first, t.p90_from_first, t.histogram
  from events_internal.funnel_times(current_user, p_funnel) t;
end;
revoke all on function public.funnel_times(jsonb) from public, anon, authenticated, service_role;
grant execute on function public.funnel_times(jsonb) to authenticated, service_role, events_reader;
comment on function public.funnel_times(jsonb) is
  'How long those who came to a step took from the step before (for an optional one: the nearest before it that they have) and from the first: percentiles that are '
  'values which occurred, and a histogram of the time from the step before, over fixed edges in seconds, the last open. Null for step 1. '
  'For admins, events_reader and service_role. '
  'Example: select * from funnel_times(''{"steps": ["SearchStarted", "BookingConfirmed"], "window": "P1D"}'')';

create function events_internal.funnel_trend(p_caller name, p_funnel jsonb, p_bucket text, p_time_zone text)
  returns table (bucket timestamptz, step int, name text, actors bigint, from_first numeric, open boolean)
  language plpgsql stable security definer set search_path = '' set work_mem = '256MB' set jit = off as $$
declare
  definition jsonb;
  starts timestamptz[]; -- with one more than the range has, the end of the last
begin
  perform events_internal.require_reader(p_caller);
  definition := events_internal.funnel_definition(p_funnel);
  if p_bucket not in ('day', 'week', 'month') or p_bucket is null then
    perform events_internal.refuse('there is no bucket ' || coalesce(p_bucket, 'null'), 'The buckets of a trend are day, week and month.');
  end if;
  starts := events_internal.bucket_starts(p_bucket, (definition ->> 'from')::timestamptz, (definition ->> 'to')::timestamptz + interval '33 days', p_time_zone);
  return query
    select starts[g.n], s.step, s.name, g.actors[s.step], pg_catalog.round(g.actors[s.step]::numeric / g.actors[1], 6),
      starts[g.n + 1] + interval '1 microsecond' * (definition ->> 'window')::bigint > least((definition ->> 'to')::timestamptz, pg_catalog.now())
    from (
      select r.n, pg_catalog.array_agg(r.actors order by r.step) as actors
      from (
        select pg_catalog.width_bucket(c.step_times[1], starts) as n, k as step, pg_catalog.count(c.step_times[k]) as actors
        from events_internal.funnel_chains_of(definition) c
        cross join pg_catalog.generate_series(1, pg_catalog.jsonb_array_length(definition -> 'steps')) k
        group by 1, 2
      ) r group by r.n
    ) g
    cross join events_internal.funnel_steps(definition) s
    order by 1, 2;
end $$;
revoke all on function events_internal.funnel_trend(name, jsonb, text, text) from public, anon, authenticated, service_role;
grant execute on function events_internal.funnel_trend(name, jsonb, text, text) to authenticated, service_role, events_reader;
comment on function events_internal.funnel_trend(name, jsonb, text, text) is 'Body of funnel_trend().';

create function public.funnel_trend(p_funnel jsonb, p_bucket text default 'day', p_time_zone text default 'UTC')
  returns table (bucket timestamptz, step int, name text, actors bigint, from_first numeric, open boolean)
  language sql stable security invoker set search_path = ''
begin atomic
  select t.bucket, t.step, t.name, t.actors, t.from_first, t.open from events_internal.funnel_trend(current_user, p_funnel, p_bucket, p_time_zone) t;
end;
revoke all on function public.funnel_trend(jsonb, text, text) from public, anon, authenticated, service_role;
grant execute on function public.funnel_trend(jsonb, text, text) to authenticated, service_role, events_reader;
comment on function public.funnel_trend(jsonb, text, text) is
  'The funnel of those who entered in each day, week (from Monday) or month on the clocks of a time zone; buckets in which nobody entered are absent. '
  'open: somebody who entered at the bucket''s end has still time left, so its rates may yet rise. For admins, events_reader and service_role. '
  'Example: select * from funnel_trend(''{"steps": ["SearchStarted", "BookingConfirmed"]}'', ''week'', ''America/Bogota'')';

reset role;
