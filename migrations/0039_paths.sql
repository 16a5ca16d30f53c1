-- paths: what people do after an event, or before one.
--
-- Each actor's events in order become two arrays: the *runs* (a type and when its first event came; the same type again in a row
-- belongs to its run), and the events by which a run of the start goes on. A path begins where a run of the start begins and takes
-- the runs that follow within the window. An event in the middle of a run begins a path only when the window of the last path is over.
-- Towards an end event all of it runs backwards in time. Actors are walked in two parts, one for each of two workers: a sort and window
-- functions over one stream would leave the other core idle.

set local role events_owner;

create function events_internal.path_starts(p_times timestamptz[], p_window interval) returns int[]
  language plpgsql immutable parallel safe set search_path = '' as $$
declare
  started timestamptz := p_times[1];
  found int[] := '{}';
begin
  for i in 2 .. pg_catalog.cardinality(p_times) loop
    if p_times[i] - started > p_window or started - p_times[i] > p_window then
      started := p_times[i];
      found := found || i;
    end if;
  end loop;
  return found;
end $$;
revoke all on function events_internal.path_starts(timestamptz[], interval) from public, anon, authenticated, service_role;
comment on function events_internal.path_starts(timestamptz[], interval) is
  'Of the times of a run in order, ascending or descending, the places after the first at which a path begins: each more than the window from the last. '
  'Example: select events_internal.path_starts(''{2026-11-01, 2026-11-02, 2026-11-05}'', ''2 days'') -- {3}';

create function events_internal.paths_of_part(
  p_codes text[], p_anchor int, p_backwards boolean, p_from timestamptz, p_to timestamptz, p_depth int, p_window interval, p_types text[], p_part int
) returns table (path int[], actor bigint, n bigint)
  language plpgsql stable parallel safe cost 1000000 rows 100000 set search_path = '' as $$
declare
  in_order constant text := case when p_backwards then 'partition by e.actor order by e.t desc, e.id desc' else 'partition by e.actor order by e.t, e.id' end;
  -- The runs from place k on that begin within the window of the time x, at most p_depth − 1 after it.
  reached text := (p_depth - 1)::text;
begin
  for n in reverse p_depth - 1 .. 1 loop
    reached := pg_catalog.format(case when p_backwards then 'case when a.times[p.k + %s] >= p.x - %L::interval then %s else %s end'
      else 'case when a.times[p.k + %s] <= p.x + %L::interval then %s else %s end' end, n, p_window, reached, n - 1);
  end loop;
  return query execute pg_catalog.format($sql$
    select c.path, a.actor, count(*) as n
    from (
      select r.actor,
             pg_catalog.array_agg(r.code) filter (where r.begins) as codes,
             pg_catalog.array_agg(r.t) filter (where r.begins) as times,
             pg_catalog.array_agg(r.place) filter (where r.begins) as places,
             pg_catalog.array_agg(r.t) filter (where not r.begins) as again,
             pg_catalog.array_agg(r.place) filter (where not r.begins) as again_places
      from (
        select e.actor, e.t, e.code, pg_catalog.row_number() over w as place, e.code is distinct from pg_catalog.lag(e.code) over w as begins
        from (
          select coalesce(s.user_key, e.actor_key) as actor, e.created_at as t, e.id, pg_catalog.array_position(%1$L::text[], e.event_type) as code
          from public.platform_events e
          left join events_internal.session_users s on s.session_key = e.actor_key
          where e.created_at >= %2$L and e.created_at < %3$L and e.actor_key is not null%4$s
            and coalesce(s.user_key, e.actor_key) & 1 = %5$s
        ) e
        window w as (%6$s)
      ) r
      where r.begins or r.code = %7$s
      group by r.actor
      having pg_catalog.bool_or(r.code = %7$s)
    ) a
    cross join lateral (
      select k, a.times[k] as x from pg_catalog.generate_subscripts(a.codes, 1) k where a.codes[k] = %7$s
      union all
      select g.k, g.times[i]
      from (
        select pg_catalog.width_bucket(a.again_places[j], a.places) as k,
               a.times[pg_catalog.width_bucket(a.again_places[j], a.places)] || pg_catalog.array_agg(a.again[j] order by j) as times
        from pg_catalog.generate_subscripts(a.again, 1) j
        group by 1
      ) g
      cross join lateral pg_catalog.unnest(events_internal.path_starts(g.times, %8$L)) i
      where a.again is not null
    ) p
    cross join lateral (select a.codes[p.k : p.k + %9$s] as path) c
    group by 1, 2
  $sql$, p_codes, p_from, p_to, coalesce(' and e.event_type = any (' || pg_catalog.quote_literal(p_types) || '::text[])', ''), p_part, in_order, p_anchor, p_window, reached);
end $$;
revoke all on function events_internal.paths_of_part(text[], int, boolean, timestamptz, timestamptz, int, interval, text[], int) from public, anon, authenticated, service_role;
comment on function events_internal.paths_of_part(text[], int, boolean, timestamptz, timestamptz, int, interval, text[], int) is
  'The paths of half of the actors (p_part 0 or 1) as places in p_codes, and how often each of them walked it. A function, so that it is one worker''s.';

create function events_internal.paths(
  p_caller name, p_start text, p_end text, p_from timestamptz, p_to timestamptz, p_depth int, p_window interval, p_types text[], p_limit int
) returns table (path text[], actors bigint, occurrences bigint)
  language plpgsql stable security definer set search_path = '' set jit = off set work_mem = '256MB'
  set parallel_setup_cost = 100 set parallel_tuple_cost = 0.01 as $$
declare
  codes constant text[] := array(select events_internal.known_event_types());
  anchor constant text := coalesce(p_start, p_end);
  in_micros constant bigint := events_internal.duration_micros(events_internal.duration_of(p_window));
  backwards constant boolean := p_start is null;
  code int;
  length interval;
  wrong text;
begin
  perform events_internal.require_reader(p_caller);
  perform events_internal.require_range(p_from, p_to);
  wrong := case
    when (p_start is null) = (p_end is null) then 'paths have a start or an end, and not both'
    when (p_depth between 2 and 10) is not true then 'the depth of paths is 2 to 10'
    when (in_micros > 0 and in_micros <= 366 * 86400000000) is not true then 'the window of paths is longer than nothing and at most 366 days'
    when (p_limit between 1 and 10000) is not true then 'the limit is 1 to 10000'
  end;
  if wrong is not null then
    perform events_internal.refuse(wrong, 'For example paths(''SearchStarted'', null, now() - interval ''7 days'', now(), 5, ''1 day'').');
  end if;
  perform events_internal.require_known_types(p_types || anchor);
  perform events_internal.require_raw_events(p_from, p_to);
  code := pg_catalog.array_position(codes, anchor);
  length := in_micros * interval '1 microsecond';

  return query
    select n.path, c.actors, c.occurrences
    from (
      select w.path, count(*) as actors, sum(w.n)::bigint as occurrences
      from (
        select p.path, p.n from events_internal.paths_of_part(codes, code, backwards, p_from, p_to, p_depth, length, p_types, 0) p
        union all
        select p.path, p.n from events_internal.paths_of_part(codes, code, backwards, p_from, p_to, p_depth, length, p_types, 1) p
      ) w group by 1
    ) c
    cross join lateral (
      select pg_catalog.array_agg(codes[u.code] order by case when backwards then -u.i else u.i end) as path from pg_catalog.unnest(c.path) with ordinality u (code, i)
    ) n
    order by c.occurrences desc, n.path collate "C" limit p_limit;
end $$;
revoke all on function events_internal.paths(name, text, text, timestamptz, timestamptz, int, interval, text[], int) from public, anon, authenticated, service_role;
grant execute on function events_internal.paths(name, text, text, timestamptz, timestamptz, int, interval, text[], int) to authenticated, service_role, events_reader;
comment on function events_internal.paths(name, text, text, timestamptz, timestamptz, int, interval, text[], int) is 'Body of public.paths.';

create function public.paths(
  p_start text default null, p_end text default null, p_from timestamptz default now() - interval '30 days', p_to timestamptz default now(),
  p_depth int default 5, p_window interval default '1 day', p_types text[] default null, p_limit int default 50
) returns table (path text[], actors bigint, occurrences bigint)
  language sql stable security invoker set search_path = ''
begin atomic
  select w.path, w.actors, w.occurrences
  from events_internal.paths(current_user, p_start, p_end, p_from, p_to, p_depth, p_window, p_types, p_limit) w;
end;
revoke all on function public.paths(text, text, timestamptz, timestamptz, int, interval, text[], int) from public, anon, authenticated, service_role;
grant execute on function public.paths(text, text, timestamptz, timestamptz, int, interval, text[], int) to authenticated, service_role, events_reader;
comment on function public.paths(text, text, timestamptz, timestamptz, int, interval, text[], int) is
  'The most frequent sequences of event types after p_start, or before p_end (one of the two), in [p_from, p_to): each occurrence and what the actor did within p_window of '
  'it, in the order of (created_at, id), the same type again in a row being one step, at most p_depth (2 to 10) of them. An occurrence in the middle of such a row begins '
  'a path of its own only when the window of the last one is over. p_types: only events of these types are looked at. A day is 24 h. For admins, events_reader and service_role. '
  'Example: select * from paths(''SearchStarted'', null, now() - interval ''7 days'', now(), 4)';

reset role;
