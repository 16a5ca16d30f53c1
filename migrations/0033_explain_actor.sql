-- explain_actor: why somebody came as far as they did.

set local role events_owner;

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

reset role;
