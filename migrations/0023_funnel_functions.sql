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
  if p_breakdown is not null or not events_internal.is_plain_funnel(definition) then
    raise exception 'not built yet' using errcode = 'feature_not_supported';
  end if;
  return query
    with reached as (
      select null::text as breakdown, u.n::int as step, (sum(u.ended) over (order by u.n desc))::bigint as actors
      from pg_catalog.unnest(events_internal.funnel_levels(definition)) with ordinality u (ended, n)
    )
    select r.breakdown, r.step, s.step ->> 'name', r.actors, p.actors - r.actors,
      pg_catalog.round(r.actors::numeric / nullif(p.actors, 0), 6), events_internal.wilson(r.actors, p.actors, -1), events_internal.wilson(r.actors, p.actors, 1),
      pg_catalog.round(r.actors::numeric / nullif(f.actors, 0), 6), events_internal.wilson(r.actors, f.actors, -1), events_internal.wilson(r.actors, f.actors, 1)
    from reached r
    join reached f on f.step = 1
    join reached p on p.step = greatest(r.step - 1, 1)
    join pg_catalog.jsonb_array_elements(definition -> 'steps') with ordinality s (step, n) on s.n = r.step
    order by r.step;
end $$;
revoke all on function events_internal.conversion_funnel(name, jsonb, timestamptz, timestamptz, interval, text, jsonb, jsonb, jsonb)
  from public, anon, authenticated, service_role;
grant execute on function events_internal.conversion_funnel(name, jsonb, timestamptz, timestamptz, interval, text, jsonb, jsonb, jsonb)
  to authenticated, service_role, events_reader;
comment on function events_internal.conversion_funnel(name, jsonb, timestamptz, timestamptz, interval, text, jsonb, jsonb, jsonb) is 'Body of conversion_funnel().';

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

reset role;
