-- Who came how far in a funnel, and what those have in common who came no further.

set local role events_owner;

create function events_internal.funnel_step_after(p_definition jsonb, p_step int) returns int
  language sql immutable set search_path = '' as $$
    select pg_catalog.min(s.step) from events_internal.funnel_steps(p_definition) s where s.step > p_step and not s.optional
  $$;
revoke all on function events_internal.funnel_step_after(jsonb, int) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_step_after(jsonb, int) is
  'The next required step, null after the last. '
  'Example: select events_internal.funnel_step_after(events_internal.funnel_definition(''{"steps": ["SearchStarted", "BookingConfirmed"]}''), 1) -- 2';

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
    perform events_internal.refuse('nobody can drop after step ' || coalesce(p_step::text, 'null'), 'p_step is the number of a required step, and not of the last.');
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
  steps int;
  required int[];
  next_step int;
begin
  perform events_internal.require_reader(p_caller);
  definition := events_internal.funnel_definition(p_funnel);
  steps := pg_catalog.jsonb_array_length(definition -> 'steps');
  required := events_internal.required_steps(definition);
  next_step := events_internal.funnel_step_after(definition, p_step);
  if (p_step between 1 and steps) is not true then
    perform events_internal.refuse('there is no step ' || coalesce(p_step::text, 'null'), pg_catalog.format('p_step is 1 to %s.', steps));
  elsif p_outcome not in ('converted', 'dropped') or p_outcome is null then
    perform events_internal.refuse('there is no outcome ' || coalesce(p_outcome, 'null'),
      'p_outcome is converted, for who came to the step, or dropped, for who came to it and no further.');
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
        case definition -> 'unit' when '"actor"' then coalesce(e.user_id, s.user_id) when '"session"' then s.user_id end as user_id,
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

reset role;
