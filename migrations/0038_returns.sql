-- Who comes back: active actors by day, week and month, and cohorts.

set local role events_owner;

-- Of every actor's active days, each counts from that day until the next one, at most 7 (30) days: so the actors of any 7 (30) days are
-- a sum over days and distances, and nobody is looked at again for each of the windows that they are in.
create function events_internal.active_actors(p_caller name, p_from timestamptz, p_to timestamptz, p_types text[], p_time_zone text)
  returns table (day timestamptz, daily bigint, weekly bigint, monthly bigint, stickiness numeric)
  language plpgsql stable security definer set search_path = '' set jit = off set work_mem = '256MB'
  set parallel_setup_cost = 100 set parallel_tuple_cost = 0.01 as $$
declare
  days timestamptz[];
  starts timestamptz[]; -- with 29 days before the first and the end of the last
  lost timestamptz;
  active text;
begin
  perform events_internal.require_reader(p_caller);
  perform events_internal.require_range(p_from, p_to);
  perform events_internal.require_known_types(p_types);
  days := events_internal.bucket_starts('day', p_from, p_to, p_time_zone);
  if days = '{}' then
    return;
  end if;
  starts := events_internal.bucket_starts('day', days[1] - interval '31 days', days[pg_catalog.cardinality(days)] + interval '26 hours', p_time_zone);
  starts := starts[pg_catalog.width_bucket(days[1], starts) - 29 :];
  perform events_internal.require_raw_events(days[1], starts[pg_catalog.cardinality(starts)]);
  lost := events_internal.lost_before(starts[1], days[1]);

  select pg_catalog.string_agg('select '
      || events_internal.bucket_number_sql(k.first, k.before, starts)
      || pg_catalog.format(' as day, e.actor_key from public.platform_events e where e.created_at >= %L and e.created_at < %L and e.actor_key is not null', k.first, k.before)
      || coalesce(' and e.event_type = any (' || pg_catalog.quote_literal(p_types) || '::text[])', '') || ' group by 1, 2', ' union all ')
    into active
    from events_internal.kept_days(starts[1], starts[pg_catalog.cardinality(starts)]) k;

  return query execute '
    with active as (
      select a.day, coalesce(s.user_key, a.actor_key) as actor
      from (' || coalesce(active, 'select 1 as day, null::bigint as actor_key where false') || ') a
      left join events_internal.session_users s on s.session_key = a.actor_key
      group by 1, 2
    ), counted as materialized (
      select a.day, least(a.next - a.day, 30) as days, count(*) as actors
      from (select a.day, pg_catalog.lead(a.day, 1, a.day + 30) over (partition by a.actor order by a.day) as next from active a) a
      group by 1, 2
    ), summed as (
      select d.day, d.n,
             coalesce(sum(c.actors) filter (where c.day = d.n), 0)::bigint as daily,
             coalesce(sum(c.actors) filter (where c.day + 7 > d.n), 0)::bigint as weekly,
             coalesce(sum(c.actors), 0)::bigint as monthly
      from (select day, 29 + i as n from pg_catalog.unnest($1) with ordinality u (day, i)) d
      left join counted c on c.day <= d.n and c.day + c.days > d.n
      group by 1, 2
    )
    select s.day, s.daily, case when ($2)[s.n - 6] >= $3 then s.weekly end, case when ($2)[s.n - 29] >= $3 then s.monthly end,
           case when ($2)[s.n - 29] >= $3 then pg_catalog.round(s.daily::numeric / nullif(s.monthly, 0), 6) end
    from summed s order by s.n' using days, starts, lost;
end $$;
revoke all on function events_internal.active_actors(name, timestamptz, timestamptz, text[], text) from public, anon, authenticated, service_role;
grant execute on function events_internal.active_actors(name, timestamptz, timestamptz, text[], text) to authenticated, service_role, events_reader;
comment on function events_internal.active_actors(name, timestamptz, timestamptz, text[], text) is 'Body of public.active_actors.';

create function public.active_actors(
  p_from timestamptz default now() - interval '30 days', p_to timestamptz default now(), p_types text[] default null, p_time_zone text default 'UTC'
) returns table (day timestamptz, daily bigint, weekly bigint, monthly bigint, stickiness numeric)
  language sql stable security invoker set search_path = ''
begin atomic
  select a.day, a.daily, a.weekly, a.monthly, a.stickiness from events_internal.active_actors(current_user, p_from, p_to, p_types, p_time_zone) a;
end;
revoke all on function public.active_actors(timestamptz, timestamptz, text[], text) from public, anon, authenticated, service_role;
grant execute on function public.active_actors(timestamptz, timestamptz, text[], text) to authenticated, service_role, events_reader;
comment on function public.active_actors(timestamptz, timestamptz, text[], text) is
  'For every day on the clocks of p_time_zone that overlaps [p_from, p_to), whole: actors with an event of the types (null: any) on that day, in the 7 and in the '
  '30 days that end with it, exactly, and daily ÷ monthly. Weekly and monthly are null where they would need days whose rows are dropped. '
  'For admins, events_reader and service_role. Example: select * from active_actors(now() - interval ''30 days'', now(), p_time_zone => ''America/Bogota'')';

-- One scan: for every actor and bucket, when their first p_first came and what came of p_returning. Whether it was another event than
-- that first one is a matter of counting, except where an event of any type is the first and others share its instant: then ids decide.
create function events_internal.retention(
  p_caller name, p_first text, p_returning text, p_from timestamptz, p_to timestamptz, p_unit text, p_periods int, p_time_zone text
) returns table (cohort timestamptz, size bigint, period int, actors bigint, rate numeric, open boolean)
  language plpgsql stable security definer set search_path = '' set jit = off set work_mem = '256MB'
  set parallel_setup_cost = 100 set parallel_tuple_cost = 0.01 as $$
declare
  cohorts timestamptz[];
  starts timestamptz[]; -- of the cohorts and of all their periods, and the end of the last
  horizon timestamptz;
  is_first constant text := coalesce('e.event_type = ' || pg_catalog.quote_literal(p_first), 'true');
  is_returning constant text := pg_catalog.format('e.created_at < %L', now()) || coalesce(' and e.event_type = ' || pg_catalog.quote_literal(p_returning), '');
  of_types constant text := coalesce(' and e.event_type in (' || pg_catalog.quote_literal(p_first) || ', ' || pg_catalog.quote_literal(p_returning) || ')', '');
  seen text;
begin
  perform events_internal.require_reader(p_caller);
  perform events_internal.require_range(p_from, p_to);
  perform events_internal.require_known_types(pg_catalog.array_remove(array[p_first, p_returning], null));
  if (p_unit in ('day', 'week', 'month')) is not true then
    perform events_internal.refuse('no such unit of retention: ' || coalesce(p_unit, 'null'), 'A period is a day, week or month.');
  end if;
  if (p_periods between 1 and 100) is not true then
    perform events_internal.refuse('retention has 1 to 100 periods', 'p_periods => 8 is the cohort''s own period and the seven after it.');
  end if;
  cohorts := events_internal.bucket_starts(p_unit, p_from, p_to, p_time_zone);
  if cohorts = '{}' then
    return;
  end if;
  starts := events_internal.bucket_starts(p_unit, p_from, p_to + (p_periods + 2) * ('1 ' || p_unit)::interval, p_time_zone);
  starts := starts[: pg_catalog.cardinality(cohorts) + p_periods];
  horizon := greatest(p_to, least(starts[pg_catalog.cardinality(starts)], now()));
  perform events_internal.require_raw_events(p_from, horizon);

  select pg_catalog.string_agg('select ' || events_internal.bucket_number_sql(k.first, k.before, starts) || ' as bucket, e.actor_key,
      min(e.created_at) filter (where ' || is_first || pg_catalog.format(' and e.created_at < %L', p_to) || ') as first,
      count(*) filter (where ' || is_returning || ' and ' || is_first || ') as alike,
      max(e.created_at) filter (where ' || is_returning || ' and not ' || is_first || ') as last_other'
      || case when p_first is null and p_returning is not null then ',
      max(e.created_at) filter (where ' || is_returning || ') as last,
      min(e.created_at) filter (where e.event_type <> ' || pg_catalog.quote_literal(p_returning) || ') as first_other'
      else ', null::timestamptz as last, null::timestamptz as first_other' end
      || pg_catalog.format(' from public.platform_events e where e.created_at >= %L and e.created_at < %L and e.actor_key is not null', k.first, k.before)
      || of_types || ' group by 1, 2', ' union all ')
    into seen
    from events_internal.kept_days(p_from, horizon) k;
  if seen is null then
    return;
  end if;

  return query execute '
    with seen as materialized (
      select c.bucket, coalesce(s.user_key, c.actor_key) as actor, min(c.first) as first, sum(c.alike) as alike,
             max(c.last_other) as last_other, max(c.last) as last, min(c.first_other) as first_other
      from (' || seen || ') c
      left join events_internal.session_users s on s.session_key = c.actor_key
      group by 1, 2
    ), members as (
      select m.actor, m.first, pg_catalog.width_bucket(m.first, $1) as cohort
      from (select s.actor, min(s.first) as first from seen s group by 1) m
      where m.first is not null
    ), returned as (
      select m.cohort, s.bucket - m.cohort as period, count(*) as actors
      from members m
      join seen s on s.actor = m.actor and s.bucket >= m.cohort and s.bucket < m.cohort + $2
      where case
        when s.bucket > m.cohort then s.alike > 0 or s.last_other is not null
        when s.last_other >= m.first or s.alike > 1 or s.last > m.first then true
        when s.last = m.first and s.first_other = m.first then $3 <> (
          select e.event_type from public.platform_events e left join events_internal.session_users u on u.session_key = e.actor_key
          where e.created_at = m.first and coalesce(u.user_key, e.actor_key) = m.actor order by e.id limit 1)
        else false end
      group by 1, 2
    )
    select ($1)[c.cohort], c.size, p.period, coalesce(r.actors, 0), pg_catalog.round(coalesce(r.actors, 0)::numeric / c.size, 6),
           ($1)[c.cohort + p.period + 1] > now()
    from (select m.cohort, count(*) as size from members m group by 1) c
    cross join pg_catalog.generate_series(0, $2 - 1) p (period)
    left join returned r on r.cohort = c.cohort and r.period = p.period
    order by c.cohort, p.period' using starts, p_periods, p_returning;
end $$;
revoke all on function events_internal.retention(name, text, text, timestamptz, timestamptz, text, int, text) from public, anon, authenticated, service_role;
grant execute on function events_internal.retention(name, text, text, timestamptz, timestamptz, text, int, text) to authenticated, service_role, events_reader;
comment on function events_internal.retention(name, text, text, timestamptz, timestamptz, text, int, text) is 'Body of public.retention.';

create function public.retention(
  p_first text default null, p_returning text default null, p_from timestamptz default now() - interval '56 days', p_to timestamptz default now(),
  p_unit text default 'week', p_periods int default 8, p_time_zone text default 'UTC'
) returns table (cohort timestamptz, size bigint, period int, actors bigint, rate numeric, open boolean)
  language sql stable security invoker set search_path = ''
begin atomic
  select r.cohort, r.size, r.period, r.actors, r.rate, r.open
  from events_internal.retention(current_user, p_first, p_returning, p_from, p_to, p_unit, p_periods, p_time_zone) r;
end;
revoke all on function public.retention(text, text, timestamptz, timestamptz, text, int, text) from public, anon, authenticated, service_role;
grant execute on function public.retention(text, text, timestamptz, timestamptz, text, int, text) to authenticated, service_role, events_reader;
comment on function public.retention(text, text, timestamptz, timestamptz, text, int, text) is
  'Cohorts: actors by the day, week (from Monday) or month, on the clocks of p_time_zone, of their first p_first event in [p_from, p_to); of each cohort, how many had '
  'a p_returning event in the same period (period 0: not before their first, and another event) and in those after it, up to now and whatever p_to is. Null is any type. '
  'open: the period is not over. For admins, events_reader and service_role. '
  'Example: select * from retention(''SearchStarted'', ''BookingConfirmed'', now() - interval ''56 days'', now(), ''week'', 4, ''America/Bogota'')';

reset role;
