-- What exists: the values of a property, and the properties of event types.

set local role events_owner;

create function events_internal.top_values(p_caller name, p_event_type text, p_property text, p_from timestamptz, p_to timestamptz, p_limit int)
  returns table (value text, events bigint, actors bigint, share numeric)
  language plpgsql stable security definer set search_path = '' set jit = off set work_mem = '256MB'
  set parallel_setup_cost = 100 set parallel_tuple_cost = 0.01 as $$
#variable_conflict use_column
begin
  perform events_internal.require_reader(p_caller);
  perform events_internal.require_range(p_from, p_to);
  perform events_internal.require_known_types(array[p_event_type]);
  perform events_internal.require_raw_events(p_from, p_to);
  if p_property is null or (p_limit between 1 and 1000) is not true then
    perform events_internal.refuse(case when p_property is null then 'no property is named' else 'the limit is 1 to 1000' end,
      'For example top_values(''SearchStarted'', ''city'', p_limit => 20); event_properties() lists what there is.');
  end if;
  return query
    with by_actor as materialized (
      select c.value, coalesce(s.user_key, c.actor_key) as actor, sum(c.n) as n
      from (
        select e.properties ->> p_property as value, e.actor_key, count(*) as n
        from public.platform_events e
        where e.event_type = p_event_type and e.created_at >= p_from and e.created_at < p_to
        group by 1, 2
      ) c
      left join events_internal.session_users s on s.session_key = c.actor_key
      group by 1, 2
    )
    select a.value, sum(a.n)::bigint, count(a.actor), pg_catalog.round(sum(a.n) / (select sum(n) from by_actor), 6)
    from by_actor a
    where a.value is not null
    group by a.value
    order by 2 desc, a.value collate "C"
    limit p_limit;
end $$;
revoke all on function events_internal.top_values(name, text, text, timestamptz, timestamptz, int) from public, anon, authenticated, service_role;
grant execute on function events_internal.top_values(name, text, text, timestamptz, timestamptz, int) to authenticated, service_role, events_reader;
comment on function events_internal.top_values(name, text, text, timestamptz, timestamptz, int) is 'Body of public.top_values.';

create function public.top_values(
  p_event_type text, p_property text, p_from timestamptz default now() - interval '30 days', p_to timestamptz default now(), p_limit int default 20
) returns table (value text, events bigint, actors bigint, share numeric)
  language sql stable security invoker set search_path = ''
begin atomic
  select v.value, v.events, v.actors, v.share from events_internal.top_values(current_user, p_event_type, p_property, p_from, p_to, p_limit) v;
end;
revoke all on function public.top_values(text, text, timestamptz, timestamptz, int) from public, anon, authenticated, service_role;
grant execute on function public.top_values(text, text, timestamptz, timestamptz, int) to authenticated, service_role, events_reader;
comment on function public.top_values(text, text, timestamptz, timestamptz, int) is
  'The most frequent values of a property (a top-level key, taken literally) among the events of a type in [p_from, p_to), as text: events, exact actors, and the '
  'share of all the type''s events, those without the property included. For admins, events_reader and service_role. '
  'Example: select * from top_values(''SearchStarted'', ''city'', now() - interval ''7 days'')';

create function events_internal.event_properties(p_caller name, p_event_type text, p_from timestamptz, p_to timestamptz)
  returns table (event_type text, property text, types text[], filled numeric, distinct_values bigint, examples text[])
  language plpgsql stable security definer set search_path = '' set jit = off set work_mem = '256MB' as $$
#variable_conflict use_column
begin
  perform events_internal.require_reader(p_caller);
  perform events_internal.require_range(p_from, p_to);
  perform events_internal.require_known_types(array[p_event_type]) where p_event_type is not null;
  perform events_internal.require_raw_events(p_from, p_to);
  return query
    with newest as materialized (
      select t.name, e.properties
      from (select p_event_type where p_event_type is not null union all select events_internal.known_event_types() where p_event_type is null) t (name)
      cross join lateral (
        select e.properties from public.platform_events e
        where e.event_type = t.name and e.created_at >= p_from and e.created_at < p_to
        order by e.created_at desc limit 10000
      ) e
    ), looked_at as (
      select n.name, count(*) as n from newest n group by 1
    ), valued as (
      select n.name, p.key, pg_catalog.jsonb_typeof(p.value) as type, p.value #>> '{}' as value, count(*) as n
      from newest n
      cross join lateral pg_catalog.jsonb_each(case when pg_catalog.jsonb_typeof(n.properties) = 'object' then n.properties end) p
      group by 1, 2, 3, 4
    ), kinds as (
      select v.name, v.key, pg_catalog.array_agg(distinct v.type order by v.type) as types from valued v group by 1, 2
    ), texts as (
      select v.name, v.key, v.value, sum(v.n) as n,
             pg_catalog.row_number() over (partition by v.name, v.key order by (v.value is null), sum(v.n) desc, v.value collate "C") as place
      from valued v
      group by 1, 2, 3
    )
    select x.name, x.key, k.types,
           pg_catalog.round(coalesce(sum(x.n) filter (where x.value is not null), 0) / l.n, 6),
           count(x.value),
           coalesce(pg_catalog.array_agg(pg_catalog.left(x.value, 100) order by x.place) filter (where x.place <= 3 and x.value is not null), '{}')
    from texts x
    join looked_at l on l.name = x.name
    join kinds k on k.name = x.name and k.key = x.key
    group by x.name, x.key, k.types, l.n
    order by x.name collate "C", 4 desc, x.key collate "C";
end $$;
revoke all on function events_internal.event_properties(name, text, timestamptz, timestamptz) from public, anon, authenticated, service_role;
grant execute on function events_internal.event_properties(name, text, timestamptz, timestamptz) to authenticated, service_role, events_reader;
comment on function events_internal.event_properties(name, text, timestamptz, timestamptz) is 'Body of public.event_properties.';

create function public.event_properties(
  p_event_type text default null, p_from timestamptz default now() - interval '7 days', p_to timestamptz default now()
) returns table (event_type text, property text, types text[], filled numeric, distinct_values bigint, examples text[])
  language sql stable security invoker set search_path = ''
begin atomic
  select p.event_type, p.property, p.types, p.filled, p.distinct_values, p.examples
  from events_internal.event_properties(current_user, p_event_type, p_from, p_to) p;
end;
revoke all on function public.event_properties(text, timestamptz, timestamptz) from public, anon, authenticated, service_role;
grant execute on function public.event_properties(text, timestamptz, timestamptz) to authenticated, service_role, events_reader;
comment on function public.event_properties(text, timestamptz, timestamptz) is
  'The properties that events of a type (null: of every type) have in [p_from, p_to): their JSON types, the share of events in which they are present and not null, how '
  'many values, and the three most frequent (their first 100 characters). Exact for types with up to 10,000 events in the range; of others, the 10,000 newest are looked at. '
  'For admins, events_reader and service_role. Example: select * from event_properties(''SearchStarted'')';

reset role;
