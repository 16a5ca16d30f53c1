-- explain_actor: somebody's events, which of them are the chosen chain, and the verdict.

set local role events_owner;

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
comment on function events_internal.funnel_actor_sql(jsonb, text) is
  'Whether event e is of this unit, an SQL condition; a session that belongs to a user means the user. '
  'Example: select events_internal.funnel_actor_sql(events_internal.funnel_definition(''{"steps": ["SearchStarted", "BookingConfirmed"]}''), ''guest-1'')';

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
  bits := events_internal.numbers_of(definition -> 'steps', 'bit');
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

reset role;
