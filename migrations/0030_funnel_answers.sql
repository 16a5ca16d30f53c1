-- The funnel as people call it: how many came to each step.

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
comment on function events_internal.is_plain_funnel(jsonb) is
  'Whether funnel_levels answers how many came to each step. '
  'Example: select events_internal.is_plain_funnel(events_internal.funnel_definition(''{"steps": ["SearchStarted", "BookingConfirmed"]}'')) -- t';

create function events_internal.funnel_steps(p_definition jsonb) returns table (step int, name text, optional boolean, previous int, required int)
  language sql immutable set search_path = '' as $$
    select u.n::int, u.step ->> 'name', (u.step ->> 'optional')::boolean,
      coalesce((pg_catalog.max(u.n) filter (where not (u.step ->> 'optional')::boolean) over (order by u.n rows between unbounded preceding and 1 preceding))::int, 1),
      case when not (u.step ->> 'optional')::boolean then (u.step ->> 'bit')::int + 1 end
    from pg_catalog.jsonb_array_elements(p_definition -> 'steps') with ordinality u (step, n)
  $$;
revoke all on function events_internal.funnel_steps(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_steps(jsonb) is
  'The steps of a checked definition: previous is the required step before it (1 for step 1), required its number among the required ones, null if optional. '
  'Example: select * from events_internal.funnel_steps(events_internal.funnel_definition(''{"steps": ["SearchStarted", "BookingConfirmed"]}''))';

create function events_internal.required_steps(p_definition jsonb) returns int[]
  language sql immutable set search_path = '' as $$
    select array(select s.step from events_internal.funnel_steps(p_definition) s where not s.optional order by s.step)
  $$;
revoke all on function events_internal.required_steps(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.required_steps(jsonb) is
  'The numbers of the steps that are not optional. '
  'Example: select events_internal.required_steps(events_internal.funnel_definition(''{"steps": ["SearchStarted", "BookingConfirmed"]}'')) -- {1,2}';

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
      place := pg_catalog.format('(%L::int[])[c.level]', events_internal.required_steps(p_definition));
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
