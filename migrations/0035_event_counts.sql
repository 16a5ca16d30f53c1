-- event_counts: series of counts. Whole hours come from the rollup, which reaches back further than the rows; the rest from rows.

set local role events_owner;

-- An hour that an edge of the range or the start of a bucket cuts must be counted from rows. In zones that are half an hour off
-- UTC, every hour is cut by its neighbours' buckets, and then it is one interval.
create function events_internal.count_parts(p_from timestamptz, p_to timestamptz, p_starts timestamptz[])
  returns table (first timestamptz, before timestamptz, from_rollup boolean)
  language sql stable set search_path = '' as $$
    with cut_hours as (
      select distinct pg_catalog.date_trunc('hour', at, 'UTC') as hour
      from (select p_from union all select p_to union all select pg_catalog.unnest(p_starts)) x (at)
      where at >= p_from and at <= p_to and at <> pg_catalog.date_trunc('hour', at, 'UTC')
    ), cut as (
      select greatest(pg_catalog.min(c.hour), p_from) as first, least(pg_catalog.max(c.hour) + interval '1 hour', p_to) as before
      from (select hour, hour - pg_catalog.row_number() over (order by hour) * interval '1 hour' as island from cut_hours) c
      group by c.island
    )
    select c.first, c.before, false from cut c where c.first < c.before
    union all
    select w.first, w.before, true
    from (
      select c.before as first, pg_catalog.lead(c.first, 1, p_to) over (order by c.first, c.before) as before
      from (select * from cut union all select p_from, p_from) c
    ) w
    where w.first < w.before
    order by 1
  $$;
revoke all on function events_internal.count_parts(timestamptz, timestamptz, timestamptz[]) from public, anon, authenticated, service_role;
comment on function events_internal.count_parts(timestamptz, timestamptz, timestamptz[]) is
  '[p_from, p_to) in parts [first, before): whole UTC hours, for the rollup, and the hours cut by an edge or by the start of a bucket, for the rows. '
  'Example: select * from events_internal.count_parts(''2026-11-01 10:30Z'', ''2026-11-02'', ''{}'')';

-- One statement, put together: what is not asked for costs nothing, and the planner sees the bounds. Every value in it is a literal.
create function events_internal.event_counts_sql(
  p_types text[], p_from timestamptz, p_to timestamptz, p_starts timestamptz[], p_breakdown text, p_condition text, p_unique boolean, p_from_rollup boolean
) returns text
  language plpgsql stable set search_path = '' as $$
declare
  of_types constant text := coalesce(' and e.event_type = any (' || pg_catalog.quote_literal(p_types) || '::text[])', '');
  bounds constant text := case when pg_catalog.cardinality(p_starts) > 1 then pg_catalog.quote_literal(p_starts) || '::timestamptz[]' end;
  value constant text := case
    when p_breakdown is null then 'null::text'
    when p_breakdown = '$event_type' then 'e.event_type'
    when p_breakdown = '$source' then 'e.source_id::text'
    else '(e.properties ->> ' || pg_catalog.quote_literal(p_breakdown) || ')' end;
  hours text;
  counted text[] := '{}';
  part record;
begin
  for part in
    select c.first, c.before, c.from_rollup from events_internal.count_parts(p_from, p_to, p_starts) c where p_from_rollup
    union all
    -- Actors day by day: small hash tables, and workers take days.
    select d.first, d.before, false from events_internal.kept_days(p_from, p_to) d where not p_from_rollup and p_unique
    union all
    select p_from, p_to, false where not p_from_rollup and not p_unique
  loop
    if part.from_rollup then
      hours := coalesce(hours || ' union all ', '') || pg_catalog.format(
        'select e.hour, e.event_type, e.n from events_internal.event_rollup_hourly e where e.hour >= %L and e.hour < %L', part.first, part.before);
    else
      perform events_internal.require_raw_events(part.first, part.before) where p_from_rollup;
      counted := counted || ('select '
        || events_internal.bucket_number_sql(part.first, part.before, p_starts)
        || ' as bucket, ' || value || ' as value, count(*) as n' || case when p_unique then ', e.actor_key' else '' end
        || ' from public.platform_events e where ' || p_condition || of_types
        || pg_catalog.format(' and e.created_at >= %L and e.created_at < %L', part.first, part.before)
        || ' group by 1, 2' || case when p_unique then ', 4' else '' end);
    end if;
  end loop;
  if hours is not null then
    -- By hour first: there are more rows than hours, and to search the bucket is dear.
    counted := counted || ('select ' || coalesce('pg_catalog.width_bucket(h.hour, ' || bounds || ')', '1') || ' as bucket, h.value, h.n from (select e.hour, '
      || value || ' as value, sum(e.n) as n from (' || hours || ') e where true' || of_types || ' group by 1, 2) h');
  end if;
  if counted = '{}' then -- no day of the range has a partition
    counted := array['select 1 as bucket, null::text as value, 0 as n, null::bigint as actor_key where false'];
  end if;

  if not p_unique then
    return 'select c.bucket, c.value, sum(c.n)::bigint as events, null::bigint as actors from ('
      || pg_catalog.array_to_string(counted, ' union all ') || ') c group by 1, 2';
  end if;
  -- By actor key first, so that the session map is asked once per actor and day.
  return 'select a.bucket, a.value, sum(a.n)::bigint as events, count(a.actor) as actors from (
      select c.bucket, c.value, coalesce(s.user_key, c.actor_key) as actor, sum(c.n) as n
      from (' || pg_catalog.array_to_string(counted, ' union all ') || ') c
      left join events_internal.session_users s on s.session_key = c.actor_key
      group by 1, 2, 3
    ) a group by 1, 2';
end $$;
revoke all on function events_internal.event_counts_sql(text[], timestamptz, timestamptz, timestamptz[], text, text, boolean, boolean)
  from public, anon, authenticated, service_role;
comment on function events_internal.event_counts_sql(text[], timestamptz, timestamptz, timestamptz[], text, text, boolean, boolean) is
  'The statement of event_counts: bucket (number in p_starts), value of the breakdown, events, actors. p_condition comes from filter_sql.';

create function events_internal.event_counts(
  p_caller name, p_types text[], p_from timestamptz, p_to timestamptz, p_bucket text, p_breakdown text, p_filter jsonb, p_time_zone text, p_unique boolean
) returns table (bucket timestamptz, event_type text, breakdown text, events bigint, actors bigint)
  language plpgsql stable security definer set search_path = '' set jit = off set work_mem = '256MB'
  set parallel_setup_cost = 100 set parallel_tuple_cost = 0.01 as $$
declare
  uniques constant boolean := coalesce(p_unique, false);
  condition text;
  from_rollup boolean;
  starts timestamptz[];
  statement text;
begin
  perform events_internal.require_reader(p_caller);
  perform events_internal.require_range(p_from, p_to);
  perform events_internal.require_known_types(p_types);
  condition := events_internal.filter_sql(p_filter);
  if p_bucket = 'all' then
    perform events_internal.require_time_zone(p_time_zone);
    starts := array[p_from];
  else
    starts := events_internal.bucket_starts(p_bucket, p_from, p_to, p_time_zone);
  end if;
  from_rollup := not uniques and condition = 'true' and p_bucket <> 'minute' and coalesce(p_breakdown, '$event_type') = '$event_type';
  if not from_rollup then
    perform events_internal.require_raw_events(p_from, p_to);
  end if;
  statement := events_internal.event_counts_sql(p_types, p_from, p_to, starts, p_breakdown, condition, uniques, from_rollup);
  if p_breakdown is null then
    return query execute 'select b.start, null::text, null::text, coalesce(t.events, 0), case when $2 then coalesce(t.actors, 0) end
      from pg_catalog.unnest($1) with ordinality b (start, n) left join (' || statement || ') t on t.bucket = b.n order by b.n' using starts, uniques;
  else
    return query execute 'select ($1)[t.bucket], case when $2 then t.value end, case when not $2 then t.value end, t.events, t.actors
      from (' || statement || ') t where t.events <> 0 order by t.bucket, t.events desc, t.value collate "C"' using starts, p_breakdown = '$event_type';
  end if;
end $$;
revoke all on function events_internal.event_counts(name, text[], timestamptz, timestamptz, text, text, jsonb, text, boolean)
  from public, anon, authenticated, service_role;
grant execute on function events_internal.event_counts(name, text[], timestamptz, timestamptz, text, text, jsonb, text, boolean)
  to authenticated, service_role, events_reader;
comment on function events_internal.event_counts(name, text[], timestamptz, timestamptz, text, text, jsonb, text, boolean) is 'Body of public.event_counts.';

create function public.event_counts(
  p_types text[] default null, p_from timestamptz default now() - interval '30 days', p_to timestamptz default now(), p_bucket text default 'day',
  p_breakdown text default null, p_filter jsonb default '[]', p_time_zone text default 'UTC', p_unique boolean default false
) returns table (bucket timestamptz, event_type text, breakdown text, events bigint, actors bigint)
  language sql stable security invoker set search_path = ''
begin atomic
  select c.bucket, c.event_type, c.breakdown, c.events, c.actors
  from events_internal.event_counts(current_user, p_types, p_from, p_to, p_bucket, p_breakdown, p_filter, p_time_zone, p_unique) c;
end;
revoke all on function public.event_counts(text[], timestamptz, timestamptz, text, text, jsonb, text, boolean) from public, anon, authenticated, service_role;
grant execute on function public.event_counts(text[], timestamptz, timestamptz, text, text, jsonb, text, boolean) to authenticated, service_role, events_reader;
comment on function public.event_counts(text[], timestamptz, timestamptz, text, text, jsonb, text, boolean) is
  'Events of the types (null: all) in [p_from, p_to) per minute, hour, day, week (from Monday), month or all, on the clocks of p_time_zone; at most 10,000 buckets, '
  'those without events with 0. bucket is its start, which may lie before p_from; of all, it is p_from. p_breakdown: a property (breakdown is its text, null where absent), '
  '''$source'' (source_id) or ''$event_type'' (in event_type); then only what there is, the most frequent first. p_unique: actors too, exactly. p_filter as in a funnel''s where. '
  'Without filter, unique actors and breakdown by anything but type, whole UTC hours come from the hourly counts, which outlive the rows. For admins, events_reader and service_role. '
  'Example: select bucket, events from event_counts(array[''SearchStarted''], now() - interval ''7 days'', now(), ''day'', p_time_zone => ''America/Bogota'')';

reset role;
