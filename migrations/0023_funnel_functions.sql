-- The funnel as people call it.

set local role events_owner;

create function events_internal.wilson(p_hits bigint, p_of bigint, p_sign int) returns numeric
  language sql immutable set search_path = '' as $$
    select pg_catalog.round((p + z * z / (2 * n) + p_sign * z * pg_catalog.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n), 6)
    from (select p_hits::numeric / nullif(p_of, 0) as p, nullif(p_of, 0)::numeric as n, 1.959963984540054 as z) v
  $$;
revoke all on function events_internal.wilson(bigint, bigint, int) from public, anon, authenticated, service_role;
comment on function events_internal.wilson(bigint, bigint, int) is
  'The end (-1 or 1) of the Wilson 95 % interval of p_hits in p_of, null of nothing. Source: E. B. Wilson, JASA 22 (1927). '
  'Example: select events_internal.wilson(8, 10, -1) -- 0.490162';

-- Whether each event fits one step at most, and nothing but its level is asked of a unit: then funnel_levels answers.
create function events_internal.is_plain_funnel(p_definition jsonb) returns boolean
  language sql immutable set search_path = '' as $$
    select p_definition ->> 'mode' = 'ordered' and p_definition -> 'exclude' = '[]'
      and not pg_catalog.bool_or((s ->> 'optional')::boolean)
      and pg_catalog.count(*) = pg_catalog.count(distinct t)
    from pg_catalog.jsonb_array_elements(p_definition -> 'steps') s, pg_catalog.jsonb_array_elements_text(s -> 'event_types') t
  $$;
revoke all on function events_internal.is_plain_funnel(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.is_plain_funnel(jsonb) is 'Whether funnel_levels answers how many came to each step.';

create function events_internal.funnel_steps(p_definition jsonb) returns table (step int, name text, optional boolean, previous int, required int)
  language sql immutable set search_path = '' as $$
    select u.n::int, u.step ->> 'name', (u.step ->> 'optional')::boolean,
      coalesce((pg_catalog.max(u.n) filter (where not (u.step ->> 'optional')::boolean) over (order by u.n rows between unbounded preceding and 1 preceding))::int, 1),
      case when not (u.step ->> 'optional')::boolean then (u.step ->> 'bit')::int + 1 end
    from pg_catalog.jsonb_array_elements(p_definition -> 'steps') with ordinality u (step, n)
  $$;
revoke all on function events_internal.funnel_steps(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_steps(jsonb) is
  'The steps of a checked definition: previous is the required step before it (1 for step 1), required its number among the required ones, null if optional.';

create function events_internal.funnel_value_sql(p_breakdown jsonb, p_definition jsonb) returns text
  language plpgsql stable set search_path = '' as $$
declare
  steps constant int := pg_catalog.jsonb_array_length(p_definition -> 'steps');
  at constant text := coalesce(p_breakdown ->> 'at', 'first');
  place text;
begin
  if p_breakdown is null then
    return 'select null::text, c.step_times from chains c';
  elsif p_breakdown = '{"by": "day"}' then
    return 'select pg_catalog.to_char(c.step_times[1] at time zone ''UTC'', ''YYYY-MM-DD''), c.step_times from chains c';
  elsif p_breakdown = '{"by": "source"}' then
    return 'select e.source_id::text, c.step_times from chains c join public.platform_events e on e.created_at = c.step_times[1] and e.id = c.step_ids[1] and e.created_at >= $2 and e.created_at < $3';
  elsif pg_catalog.jsonb_typeof(p_breakdown) = 'object' and p_breakdown - 'at' - 'property' = '{}' and pg_catalog.jsonb_typeof(p_breakdown -> 'property') = 'string' then
    if at = 'first' then
      place := '1';
    elsif at = 'last' then -- the last required one
      place := pg_catalog.format('(%L::int[])[c.level]', array(select f.step from events_internal.funnel_steps(p_definition) f where not f.optional order by f.step));
    elsif at ~ '^\d{1,2}$' and at::int between 1 and steps then
      place := at;
    end if;
  end if;
  if place is null then
    perform events_internal.refuse('there is no breakdown ' || pg_catalog.left(p_breakdown::text, 200), pg_catalog.format(
      'It is { "property": key, "at": "first" | "last" | a step, 1 to %s }, { "by": "source" } or { "by": "day" }.', steps));
  end if;
  return pg_catalog.format(
    'select e.properties ->> %L, c.step_times from chains c left join public.platform_events e '
    'on e.created_at = c.step_times[%s] and e.id = c.step_ids[%2$s] and e.created_at >= $2 and e.created_at < $3', p_breakdown ->> 'property', place);
end $$;
revoke all on function events_internal.funnel_value_sql(jsonb, jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_value_sql(jsonb, jsonb) is 'A query for the group (text) of each of `chains`, and its step_times.';

create function events_internal.funnel_counts(p_definition jsonb, p_breakdown jsonb) returns table (value text, actors bigint[])
  language plpgsql stable set search_path = '' set work_mem = '256MB' set jit = off as $$
declare
  values_sql constant text := events_internal.funnel_value_sql(p_breakdown, p_definition);
  steps constant int := pg_catalog.jsonb_array_length(p_definition -> 'steps');
  ended bigint[];
begin
  if p_breakdown is null and events_internal.is_plain_funnel(p_definition) then
    ended := events_internal.funnel_levels(p_definition); -- within unnest() the planner would call it too, to guess how many rows come
    value := null;
    actors := array(select (sum(u.n_ended) over (order by u.n desc))::bigint from pg_catalog.unnest(ended) with ordinality u (n_ended, n) order by u.n);
    return next;
    return;
  end if;
  return query execute 'with chains as materialized (select * from events_internal.funnel_chains_of($1)), valued (value, step_times) as (' || values_sql || ')
    select v.value, array_agg(v.actors order by v.n) from (
      select v.value, n, count(v.step_times[n]) as actors from valued v cross join generate_series(1, $4) n group by 1, 2
      union all
      select null, n, 0 from generate_series(1, $4) n where $5 and not exists (select from chains)
    ) v group by v.value'
    using p_definition, (p_definition ->> 'from')::timestamptz, (p_definition ->> 'to')::timestamptz, steps, p_breakdown is null;
end $$;
revoke all on function events_internal.funnel_counts(jsonb, jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_counts(jsonb, jsonb) is 'For each group how many units have each step; one group, null, without breakdown.';

create function events_internal.conversion_funnel(
  p_caller name, p_steps jsonb, p_from timestamptz, p_to timestamptz, p_window interval, p_mode text, p_unit jsonb, p_exclude jsonb, p_breakdown jsonb
) returns table (breakdown text, step int, name text, actors bigint, dropped bigint, from_previous numeric, from_previous_low numeric, from_previous_high numeric,
    from_first numeric, from_first_low numeric, from_first_high numeric)
  language plpgsql stable security definer set search_path = '' as $$
declare
  definition jsonb;
begin
  perform events_internal.require_reader(p_caller);
  definition := events_internal.funnel_definition(pg_catalog.jsonb_build_object('steps', p_steps, 'from', p_from, 'to', p_to,
    'window', events_internal.duration_of(p_window), 'mode', p_mode, 'unit', p_unit, 'exclude', p_exclude));
  return query
    select r.value, r.step, r.name, r.n, case when not r.optional then r.previous_n - r.n end,
      pg_catalog.round(r.n::numeric / nullif(r.previous_n, 0), 6), events_internal.wilson(r.n, r.previous_n, -1), events_internal.wilson(r.n, r.previous_n, 1),
      pg_catalog.round(r.n::numeric / nullif(r.first_n, 0), 6), events_internal.wilson(r.n, r.first_n, -1), events_internal.wilson(r.n, r.first_n, 1)
    from (
      select c.value, s.step, s.name, s.optional, c.actors[s.step] as n, c.actors[s.previous] as previous_n, c.actors[1] as first_n
      from events_internal.funnel_counts(definition, p_breakdown) c
      cross join events_internal.funnel_steps(definition) s
    ) r
    order by r.first_n desc, r.value collate "C", r.step;
end $$;
revoke all on function events_internal.conversion_funnel(name, jsonb, timestamptz, timestamptz, interval, text, jsonb, jsonb, jsonb)
  from public, anon, authenticated, service_role;
grant execute on function events_internal.conversion_funnel(name, jsonb, timestamptz, timestamptz, interval, text, jsonb, jsonb, jsonb)
  to authenticated, service_role, events_reader;
comment on function events_internal.conversion_funnel(name, jsonb, timestamptz, timestamptz, interval, text, jsonb, jsonb, jsonb) is 'Body of conversion_funnel().';

drop function public.conversion_funnel(text[], timestamptz, timestamptz, interval);
create function public.conversion_funnel(
  p_steps jsonb, p_from timestamptz default now() - interval '30 days', p_to timestamptz default now(), p_window interval default '7 days',
  p_mode text default 'ordered', p_unit jsonb default '"actor"', p_exclude jsonb default '[]', p_breakdown jsonb default null
) returns table (breakdown text, step int, name text, actors bigint, dropped bigint, from_previous numeric, from_previous_low numeric, from_previous_high numeric,
    from_first numeric, from_first_low numeric, from_first_high numeric)
  language sql stable security invoker set search_path = ''
begin atomic
  select c.breakdown, c.step, c.name, c.actors, c.dropped, c.from_previous, c.from_previous_low, c.from_previous_high,
         c.from_first, c.from_first_low, c.from_first_high
  from events_internal.conversion_funnel(current_user, p_steps, p_from, p_to, p_window, p_mode, p_unit, p_exclude, p_breakdown) c;
end;
revoke all on function public.conversion_funnel(jsonb, timestamptz, timestamptz, interval, text, jsonb, jsonb, jsonb) from public, anon, authenticated, service_role;
grant execute on function public.conversion_funnel(jsonb, timestamptz, timestamptz, interval, text, jsonb, jsonb, jsonb) to authenticated, service_role, events_reader;
comment on function public.conversion_funnel(jsonb, timestamptz, timestamptz, interval, text, jsonb, jsonb, jsonb) is
  'Who came to each step of a funnel: every event in [p_from, p_to), the last at most p_window (a day is 24 h) after the first. A step is an event type, or '
  '{ event_type | event_types, where: [filter…], optional, name }; p_mode is ordered, strict, strict_order or unordered; p_unit "actor", "session" or { "property": key }; '
  'p_exclude lists { event_type | event_types, where, after, before }; p_breakdown is { "property": key, "at": "first" | "last" | n }, { "by": "source" } or { "by": "day" }. '
  'Rates are fractions of 1 with their Wilson 95 % interval, null where they would divide by 0. For admins, events_reader and service_role. '
  'Example: select * from conversion_funnel(''["SearchStarted", "BookingConfirmed"]'', now() - interval ''30 days'', now(), ''1 day'')';

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
    ), edges (edges) as (
      select array[0, 10, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 259200, 604800, 1209600, 2592000]::numeric[]
    ), bins as (
      select d.step, pg_catalog.width_bucket(extract(epoch from d.from_previous), e.edges) as bin, pg_catalog.count(*) as actors
      from durations d cross join edges e where d.step > 1 group by 1, 2
    )
    select s.step, s.name, coalesce(p.actors, 0), p.from_previous[1], p.from_previous[2], p.from_previous[3],
      p.from_first[1], p.from_first[2], p.from_first[3],
      case when s.step > 1 then (
        select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('from_seconds', e.edges[n], 'to_seconds', e.edges[n + 1], 'actors', coalesce(b.actors, 0)) order by n)
        from edges e cross join pg_catalog.generate_series(1, 17) n left join bins b on b.step = s.step and b.bin = n
      ) end
    from steps s left join percentiles p on p.step = s.step
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

create function events_internal.funnel_step_after(p_definition jsonb, p_step int) returns int
  language sql immutable set search_path = '' as $$
    select pg_catalog.min(s.step) from events_internal.funnel_steps(p_definition) s where s.step > p_step and not s.optional
  $$;
revoke all on function events_internal.funnel_step_after(jsonb, int) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_step_after(jsonb, int) is 'The next required step, null after the last.';

create function events_internal.funnel_lift(p_caller name, p_funnel jsonb, p_step int, p_property text)
  returns table (value text, reached bigint, dropped bigint, drop_rate numeric, low numeric, high numeric, lift numeric)
  language plpgsql stable security definer set search_path = '' set work_mem = '256MB' set jit = off as $$
declare
  definition jsonb;
  next_step int;
begin
  perform events_internal.require_reader(p_caller);
  definition := events_internal.funnel_definition(p_funnel);
  next_step := events_internal.funnel_step_after(definition, p_step);
  if next_step is null or not exists (select from events_internal.funnel_steps(definition) s where s.step = p_step and not s.optional) then
    perform events_internal.refuse(pg_catalog.format('nobody can drop after step %s', coalesce(p_step::text, 'null')), 'p_step is the number of a required step, and not of the last.');
  elsif p_property is null then
    perform events_internal.refuse('the property is null', 'p_property is the name of a property of the events of that step.');
  end if;
  return query
    select g.value, g.reached, g.dropped, pg_catalog.round(g.dropped::numeric / g.reached, 6),
      events_internal.wilson(g.dropped, g.reached, -1), events_internal.wilson(g.dropped, g.reached, 1),
      pg_catalog.round(g.dropped * sum(g.reached) over () / (g.reached * nullif(sum(g.dropped) over (), 0)), 6)
    from (
      select e.properties ->> p_property as value, pg_catalog.count(*) as reached, pg_catalog.count(*) filter (where c.step_times[next_step] is null) as dropped
      from events_internal.funnel_chains_of(definition) c
      join public.platform_events e on e.created_at = c.step_times[p_step] and e.id = c.step_ids[p_step]
        and e.created_at >= (definition ->> 'from')::timestamptz and e.created_at < (definition ->> 'to')::timestamptz
      group by 1
    ) g
    order by g.dropped desc, g.value collate "C";
end $$;
revoke all on function events_internal.funnel_lift(name, jsonb, int, text) from public, anon, authenticated, service_role;
grant execute on function events_internal.funnel_lift(name, jsonb, int, text) to authenticated, service_role, events_reader;
comment on function events_internal.funnel_lift(name, jsonb, int, text) is 'Body of funnel_lift().';

create function public.funnel_lift(p_funnel jsonb, p_step int, p_property text)
  returns table (value text, reached bigint, dropped bigint, drop_rate numeric, low numeric, high numeric, lift numeric)
  language sql stable security invoker set search_path = ''
begin atomic
  select l.value, l.reached, l.dropped, l.drop_rate, l.low, l.high, l.lift from events_internal.funnel_lift(current_user, p_funnel, p_step, p_property) l;
end;
revoke all on function public.funnel_lift(jsonb, int, text) from public, anon, authenticated, service_role;
grant execute on function public.funnel_lift(jsonb, int, text) to authenticated, service_role, events_reader;
comment on function public.funnel_lift(jsonb, int, text) is
  'Among those who came to a step, for each value of a property of their event there: how many went no further, with the Wilson 95 % interval of that rate, and lift, '
  'that rate by the rate of all (above 1: more are lost than elsewhere; null where nobody was). For admins, events_reader and service_role. '
  'Example: select * from funnel_lift(''{"steps": ["SearchStarted", "BookingConfirmed"]}'', 1, ''city'')';

create function events_internal.funnel_actors(p_caller name, p_funnel jsonb, p_step int, p_outcome text, p_limit int, p_after text)
  returns table (actor text, user_id uuid, session_id text, level int, entered_at timestamptz, last_step_at timestamptz)
  language plpgsql stable security definer set search_path = '' set work_mem = '256MB' set jit = off as $$
declare
  definition jsonb;
  required int[];
  next_step int;
begin
  perform events_internal.require_reader(p_caller);
  definition := events_internal.funnel_definition(p_funnel);
  required := array(select s.step from events_internal.funnel_steps(definition) s where not s.optional order by s.step);
  next_step := events_internal.funnel_step_after(definition, p_step);
  if p_step is null or p_step not between 1 and pg_catalog.jsonb_array_length(definition -> 'steps') then
    perform events_internal.refuse(pg_catalog.format('there is no step %s', coalesce(p_step::text, 'null')), pg_catalog.format('p_step is 1 to %s.', pg_catalog.jsonb_array_length(definition -> 'steps')));
  elsif p_outcome not in ('converted', 'dropped') or p_outcome is null then
    perform events_internal.refuse('there is no outcome ' || coalesce(p_outcome, 'null'), 'p_outcome is converted, for who came to the step, or dropped, for who came to it and no further.');
  elsif p_outcome = 'dropped' and next_step is null then
    perform events_internal.refuse('nobody can drop after the last step', 'p_step is the last that they came to.');
  elsif p_limit is null or p_limit not between 1 and 100000 then
    perform events_internal.refuse('p_limit is 1 to 100000', 'Ask for what follows with p_after, the last actor that you got.');
  end if;
  return query
    select a.actor, a.user_id, a.session_id, a.level, a.entered_at, a.last_step_at
    from (
      select case definition -> 'unit'
          when '"actor"' then coalesce('user:' || coalesce(e.user_id, s.user_id), 'session:' || e.session_id)
          when '"session"' then 'session:' || e.session_id
          else 'property:' || (e.properties ->> (definition -> 'unit' ->> 'property')) end as actor,
        case when definition -> 'unit' in ('"actor"', '"session"') then case definition -> 'unit' when '"actor"' then coalesce(e.user_id, s.user_id) else s.user_id end end as user_id,
        case when definition -> 'unit' = '"session"' or definition -> 'unit' = '"actor"' and e.user_id is null and s.user_id is null then e.session_id end as session_id,
        c.level, c.step_times[1] as entered_at, c.step_times[required[c.level]] as last_step_at
      from events_internal.funnel_chains_of(definition) c
      join public.platform_events e on e.created_at = c.step_times[1] and e.id = c.step_ids[1]
        and e.created_at >= (definition ->> 'from')::timestamptz and e.created_at < (definition ->> 'to')::timestamptz
      left join events_internal.session_users s on s.session_id = e.session_id
      where c.step_times[p_step] is not null and (p_outcome = 'converted' or c.step_times[next_step] is null)
    ) a
    where p_after is null or a.actor collate "C" > p_after
    order by a.actor collate "C"
    limit p_limit;
end $$;
revoke all on function events_internal.funnel_actors(name, jsonb, int, text, int, text) from public, anon, authenticated, service_role;
grant execute on function events_internal.funnel_actors(name, jsonb, int, text, int, text) to authenticated, service_role, events_reader;
comment on function events_internal.funnel_actors(name, jsonb, int, text, int, text) is 'Body of funnel_actors().';

create function public.funnel_actors(p_funnel jsonb, p_step int, p_outcome text, p_limit int default 1000, p_after text default null)
  returns table (actor text, user_id uuid, session_id text, level int, entered_at timestamptz, last_step_at timestamptz)
  language sql stable security invoker set search_path = ''
begin atomic
  select a.actor, a.user_id, a.session_id, a.level, a.entered_at, a.last_step_at
  from events_internal.funnel_actors(current_user, p_funnel, p_step, p_outcome, p_limit, p_after) a;
end;
revoke all on function public.funnel_actors(jsonb, int, text, int, text) from public, anon, authenticated, service_role;
grant execute on function public.funnel_actors(jsonb, int, text, int, text) to authenticated, service_role, events_reader;
comment on function public.funnel_actors(jsonb, int, text, int, text) is
  'Who came to a step (converted), or to it and not to the next required one (dropped), by actor: user:<uuid>, session:<id> or property:<text>. level counts the required '
  'steps they reached, last_step_at is when they reached the last of these. For the next page p_after is the last actor of this one. For admins, events_reader and service_role. '
  'Example: select * from funnel_actors(''{"steps": ["SearchStarted", "BookingConfirmed"]}'', 1, ''dropped'')';

create function events_internal.time_text(p_time timestamptz) returns text
  language sql immutable set search_path = '' as $$
    select pg_catalog.to_char(p_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || pg_catalog.rtrim(pg_catalog.to_char(p_time at time zone 'UTC', '.US'), '.0') || 'Z'
  $$;
revoke all on function events_internal.time_text(timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.time_text(timestamptz) is 'A time in UTC, ISO 8601, with as many decimals as it has.';

create function events_internal.duration_text(p_from timestamptz, p_to timestamptz) returns text
  language sql immutable set search_path = '' as $$
    select case when d.seconds < 86400 then '' when d.seconds < 172800 then '1 day ' else pg_catalog.trunc(d.seconds / 86400) || ' days ' end
      || pg_catalog.trunc(d.seconds % 86400 / 3600) || pg_catalog.to_char(pg_catalog.trunc(d.seconds % 3600 / 60), 'FM":"00')
      || pg_catalog.to_char(pg_catalog.trunc(d.seconds % 60), 'FM":"00') || pg_catalog.rtrim(pg_catalog.substr(pg_catalog.to_char(d.seconds % 1, 'FM0.000000'), 2), '.0')
    from (select extract(epoch from p_to) - extract(epoch from p_from) as seconds) d
  $$;
revoke all on function events_internal.duration_text(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.duration_text(timestamptz, timestamptz) is 'How long from one time until another: 2:00:00, 1 day 0:00:01.5; a day is 24 h.';

create function events_internal.funnel_actor_sql(p_definition jsonb, p_actor text) returns text
  language plpgsql stable set search_path = '' as $$
declare
  unit constant jsonb := p_definition -> 'unit';
  kind constant text := (pg_catalog.regexp_match(p_actor, '^(user|session|property):'))[1];
  named text := p_actor;
  person uuid;
begin
  if p_actor is null then
    perform events_internal.refuse('the actor is null', 'p_actor is a user''s uuid or a session id, or user:<uuid>, session:<id> or property:<text> as funnel_actors() has them.');
  end if;
  if kind = 'property' or unit = '"session"' and kind = 'session' or unit = '"actor"' and kind is not null then
    named := pg_catalog.substr(p_actor, pg_catalog.length(kind) + 2);
  end if;
  if pg_catalog.jsonb_typeof(unit) = 'object' then
    return pg_catalog.format('(e.properties ->> %L) = %L', unit ->> 'property', named);
  elsif kind = 'property' or unit = '"session"' and kind = 'user' then
    perform events_internal.refuse(pg_catalog.format('%s is nobody of this funnel, whose unit is %s', p_actor, unit ->> 0), 'Name one that funnel_actors() lists.');
  elsif unit = '"session"' then
    return pg_catalog.format('e.session_id = %L', named);
  end if;

  if kind is distinct from 'session' and named ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    person := named::uuid;
    if kind is null and not exists (select from public.platform_events e where e.user_id = person)
      and not exists (select from events_internal.session_users s where s.user_id = person) then
      person := null; -- a session may be named by a uuid, too
    end if;
  elsif kind = 'user' then
    perform events_internal.refuse(named || ' is no uuid', 'A user is user:<uuid>.');
  end if;
  if person is null then
    select s.user_id into person from events_internal.session_users s where s.session_id = named;
  end if;
  if person is null then
    return pg_catalog.format('e.user_id is null and e.session_id = %L', named);
  end if;
  return pg_catalog.format('(e.user_id = %L or e.user_id is null and e.session_id = any (%L::text[]))', person,
    array(select s.session_id from events_internal.session_users s where s.user_id = person order by 1));
end $$;
revoke all on function events_internal.funnel_actor_sql(jsonb, text) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_actor_sql(jsonb, text) is 'Whether event e is of this unit, an SQL condition; a session that belongs to a user means the user.';

create function events_internal.funnel_interruption(p_mode text, p_masks bigint[], p_last int, p_level int) returns int
  language plpgsql immutable set search_path = '' as $$
declare
  next_bit constant bigint := 1::bigint << p_level;
begin
  for i in p_last + 1 .. pg_catalog.cardinality(p_masks) loop
    if p_masks[i] & next_bit <> 0 then
      return null;
    elsif (p_mode = 'strict' or p_masks[i] & (next_bit >> 1) = 0) and exists (
      select from pg_catalog.unnest(p_masks[i + 1 :]) m where m & next_bit <> 0
    ) then
      return i;
    end if;
  end loop;
  return null;
end $$;
revoke all on function events_internal.funnel_interruption(text, bigint[], int, int) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_interruption(text, bigint[], int, int) is
  'In the strict modes the row that came between the last of a chain and the next step''s, null if none did or the next step never came.';

-- Looked for in the order in which one would ask: did it come in time, then what forbade it; did it come later, earlier, as another
-- step, outside the range; or never.
create function events_internal.funnel_verdict(p_definition jsonb, p_condition text, p_times timestamptz[], p_masks bigint[], p_types text[], p_chain int[]) returns text
  language plpgsql stable set search_path = '' as $$
declare
  mode constant text := p_definition ->> 'mode';
  steps constant int := pg_catalog.jsonb_array_length(p_definition -> 'steps');
  required constant int[] := array(select s.step from events_internal.funnel_steps(p_definition) s where not s.optional order by s.step);
  level constant int := pg_catalog.cardinality(p_chain);
  first_at constant timestamptz := p_times[p_chain[1]];
  last_at constant timestamptz := p_times[p_chain[level]];
  closes_at constant timestamptz := first_at + interval '1 microsecond' * (p_definition ->> 'window')::bigint;
  missed int; -- its number among the required steps
  missed_name text;
  reached text;
  rows_of_it int[];
  hit int;
  outside_at timestamptz;
  said record;
begin
  if level = pg_catalog.cardinality(required) then
    return pg_catalog.format('reached all %s steps', steps);
  end if;
  missed := level + 1;
  if mode = 'unordered' then
    select n into missed from pg_catalog.generate_series(1, steps) n
    where not exists (select from pg_catalog.unnest(p_chain) c where (p_masks[c] >> (n - 1)) & 1 = 1) order by n limit 1;
    missed := coalesce(missed, level + 1);
    reached := pg_catalog.format('did %s of %s steps within the window; ', level, steps);
  elsif level > 0 then
    reached := pg_catalog.format('reached step %s of %s; ', required[level], steps);
  end if;
  missed_name := p_definition -> 'steps' -> (required[missed] - 1) ->> 'name';
  reached := coalesce(reached, 'did not enter; ') || missed_name || ' ';
  rows_of_it := array(
    select i from pg_catalog.generate_series(1, pg_catalog.cardinality(p_masks)) i where (p_masks[i] >> (missed - 1)) & 1 = 1 and i <> all (p_chain) order by i);

  if mode in ('strict', 'strict_order') and level > 0 then
    hit := events_internal.funnel_interruption(mode, p_masks, p_chain[level], level);
    if hit is not null then
      return reached || pg_catalog.format('was interrupted: %s came between, at %s', p_types[hit], events_internal.time_text(p_times[hit]));
    end if;
  end if;
  if mode = 'ordered' then
    select x.match, p_times[i] as at into said
    from pg_catalog.jsonb_array_elements(p_definition -> 'exclude') with ordinality x (match, n), pg_catalog.generate_series(1, pg_catalog.cardinality(p_masks)) i
    where (p_masks[i] >> (39 + x.n::int)) & 1 = 1 and (x.match ->> 'after_required')::int <= level and (x.match ->> 'before_required')::int > level
      and p_times[i] > p_times[p_chain[(x.match ->> 'after_required')::int]]
      and p_times[i] < (select pg_catalog.min(p_times[r]) from pg_catalog.unnest(rows_of_it) r where p_times[r] between last_at and closes_at)
    order by i limit 1;
    if found then
      return reached || pg_catalog.format('does not count: %s came at %s, between steps %s and %s, where it is excluded',
        (select pg_catalog.string_agg(t, ' or ' order by n) from pg_catalog.jsonb_array_elements_text(said.match -> 'event_types') with ordinality u (t, n)),
        events_internal.time_text(said.at), said.match ->> 'after', said.match ->> 'before');
    end if;
  end if;

  select r into hit from pg_catalog.unnest(rows_of_it) r where p_times[r] > closes_at order by r limit 1;
  if hit is not null then
    return reached || pg_catalog.format('came %s after the window closed', events_internal.duration_text(closes_at, p_times[hit]));
  end if;
  select r into hit from pg_catalog.unnest(rows_of_it) r where r < p_chain[level] order by r desc limit 1;
  if hit is not null then
    return reached || pg_catalog.format('came before %s, %s earlier',
      case mode when 'unordered' then 'the window began' else pg_catalog.format('step %s (%s)', required[level], p_definition -> 'steps' -> (required[level] - 1) ->> 'name') end,
      events_internal.duration_text(p_times[hit], case mode when 'unordered' then first_at else last_at end));
  end if;
  select k into hit from pg_catalog.generate_series(1, level) k where (p_masks[p_chain[k]] >> (missed - 1)) & 1 = 1 order by k limit 1;
  if hit is not null then
    return reached || pg_catalog.format('came once only, and is step %s', required[hit]);
  end if;
  execute 'select coalesce(min(e.created_at) filter (where e.created_at >= $2), max(e.created_at)) from public.platform_events e where (e.created_at < $1 or e.created_at >= $2) and '
    || p_condition || ' and ' || events_internal.event_match_sql(p_definition -> 'steps' -> (required[missed] - 1))
    into outside_at using (p_definition ->> 'from')::timestamptz, (p_definition ->> 'to')::timestamptz;
  if outside_at is not null then
    return reached || pg_catalog.format('came only outside the range, at %s', events_internal.time_text(outside_at));
  end if;
  return reached || 'never came';
end $$;
revoke all on function events_internal.funnel_verdict(jsonb, text, timestamptz[], bigint[], text[], int[]) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_verdict(jsonb, text, timestamptz[], bigint[], text[], int[]) is
  'How far the unit of p_condition came and why not further, of its rows and its chosen chain (positions of the required steps'' rows).';

create function events_internal.explain_actor(p_caller name, p_funnel jsonb, p_actor text)
  returns table (created_at timestamptz, id uuid, event_type text, session_id text, matches int[], chain_step int, note text)
  language plpgsql stable security definer set search_path = '' as $$
declare
  definition jsonb;
  condition text;
  bits int[];
  chain record;
  times timestamptz[];
  ids uuid[];
  masks bigint[];
  types text[];
  sessions text[];
begin
  perform events_internal.require_reader(p_caller);
  definition := events_internal.funnel_definition(p_funnel);
  condition := events_internal.funnel_actor_sql(definition, p_actor);
  bits := array(select (s ->> 'bit')::int from pg_catalog.jsonb_array_elements(definition -> 'steps') with ordinality u (s, n) order by n);
  select c.level, c.step_times, c.step_ids into chain from events_internal.funnel_chains_of(definition, condition) c;
  execute 'select array_agg(r.t order by r.t, r.id), array_agg(r.id order by r.t, r.id), array_agg(r.mask order by r.t, r.id),
      array_agg(e.event_type order by r.t, r.id), array_agg(e.session_id order by r.t, r.id)
    from (' || events_internal.funnel_rows_sql(definition, condition) || ') r
    join public.platform_events e on e.created_at = r.t and e.id = r.id and e.created_at >= $1 and e.created_at < $2'
    into times, ids, masks, types, sessions using (definition ->> 'from')::timestamptz, (definition ->> 'to')::timestamptz, 0, 1;

  return query
    select times[i], ids[i], types[i], sessions[i],
      array(select s.n from pg_catalog.unnest(bits) with ordinality u (bit, n), lateral (select u.n::int) s (n) where (masks[i] >> u.bit) & 1 = 1 order by 1),
      (select u.n::int from unnest(chain.step_times, chain.step_ids) with ordinality u (t, id, n) where u.t = times[i] and u.id = ids[i]),
      (select pg_catalog.string_agg(pg_catalog.format('excluded between steps %s and %s', x.match ->> 'after', x.match ->> 'before'), ', ' order by x.n)
       from pg_catalog.jsonb_array_elements(definition -> 'exclude') with ordinality x (match, n) where (masks[i] >> (39 + x.n::int)) & 1 = 1)
    from pg_catalog.generate_series(1, pg_catalog.cardinality(times)) i
    order by i;
  created_at := null;
  note := events_internal.funnel_verdict(definition, condition, coalesce(times, '{}'), coalesce(masks, '{}'), coalesce(types, '{}'),
    array(select i from pg_catalog.unnest(bits) with ordinality u (bit, n) join pg_catalog.generate_series(1, pg_catalog.cardinality(times)) i
        on times[i] = chain.step_times[u.n] and ids[i] = chain.step_ids[u.n]
      where u.bit < chain.level order by u.n));
  return next;
end $$;
revoke all on function events_internal.explain_actor(name, jsonb, text) from public, anon, authenticated, service_role;
grant execute on function events_internal.explain_actor(name, jsonb, text) to authenticated, service_role, events_reader;
comment on function events_internal.explain_actor(name, jsonb, text) is 'Body of explain_actor().';

create function public.explain_actor(p_funnel jsonb, p_actor text)
  returns table (created_at timestamptz, id uuid, event_type text, session_id text, matches int[], chain_step int, note text)
  language sql stable security invoker set search_path = ''
begin atomic
  select x.created_at, x.id, x.event_type, x.session_id, x.matches, x.chain_step, x.note from events_internal.explain_actor(current_user, p_funnel, p_actor) x;
end;
revoke all on function public.explain_actor(jsonb, text) from public, anon, authenticated, service_role;
grant execute on function public.explain_actor(jsonb, text) to authenticated, service_role, events_reader;
comment on function public.explain_actor(jsonb, text) is
  'Why somebody came as far as they did: their events that the funnel looks at, in order, with the steps that each could serve and the step that it is in the chosen '
  'chain; then a row without created_at whose note is the verdict. p_actor is a user''s uuid or a session id (one that belongs to a user means that user), or '
  'user:<uuid>, session:<id> or property:<text>. For admins, events_reader and service_role. '
  'Example: select * from explain_actor(''{"steps": ["SearchStarted", "BookingConfirmed"]}'', ''10000000-0000-4000-8000-000000000001'')';

-- Answers whatever was never seen with 0, and an empty range too, as ever: it is the customer's.
create or replace function events_internal.checked_funnel(
  p_caller name, p_steps text[], p_from timestamptz, p_to timestamptz, p_to_inclusive boolean, p_window interval
) returns table (step int, actors bigint)
  language plpgsql stable security definer set search_path = '' as $$
begin
  perform events_internal.require_reader(p_caller);
  return query
    select u.n::int, (sum(u.ended) over (order by u.n desc))::bigint
    from pg_catalog.unnest(events_internal.funnel_levels(pg_catalog.jsonb_build_object(
        'steps', (select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('event_types', pg_catalog.jsonb_build_array(s), 'where', '[]'::jsonb) order by n)
                  from pg_catalog.unnest(p_steps) with ordinality u (s, n)),
        'from', p_from, 'to', p_to + case when p_to_inclusive then interval '1 microsecond' else interval '0' end,
        'window', events_internal.duration_micros(events_internal.duration_of(p_window)), 'unit', 'actor'))) with ordinality u (ended, n)
    order by 1;
end $$;

drop function events_internal.funnel_walk(text[], timestamptz, timestamptz, boolean, interval);
drop function events_internal.funnel_levels_distinct(text[], timestamptz, timestamptz, bigint);
drop function events_internal.funnel_levels_repeated(text[], timestamptz, timestamptz, bigint);

reset role;
