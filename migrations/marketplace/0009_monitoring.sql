-- What operators watch. Views for the service's login alone, each over a bounded time; monitoring() is all of them as JSON, for
-- GET /api/monitoring, the page and the metrics; get_marketplace_monitoring() the same for the platform's admins. A view is made where its
-- tables are.

create schema if not exists marketplace_internal;
revoke all on schema marketplace_internal from public, anon, authenticated;

-- Guest sessions are removed a day after their end, and their counts stay. Counted when they go and not when they come: a row per hour
-- that every new guest updates would have them wait for each other.
create table if not exists marketplace_internal.guest_session_hours (
  hour timestamptz primary key,
  sessions bigint not null,
  converted bigint not null
);
revoke all on marketplace_internal.guest_session_hours from public, anon, authenticated, service_role;
comment on table marketplace_internal.guest_session_hours is
  'Guest sessions that are no longer there, by the hour in which they were made, and how many of these became users. guest_sessions_per_hour adds the others.';

-- What a forced rollback put aside.
do $$
begin
  if to_regprocedure('marketplace_internal.take_back_rows(text)') is not null then
    perform marketplace_internal.take_back_rows('marketplace_internal.guest_session_hours');
  end if;
end $$;

create or replace function marketplace_internal.count_removed_guest_sessions() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into marketplace_internal.guest_session_hours as h (hour, sessions, converted)
  select pg_catalog.date_trunc('hour', r.created_at, 'UTC'), count(*), count(*) filter (where r.metadata ? 'converted_to_user_id')
  from removed r
  where r.id <> '00000000-0000-4000-8000-000000000000' -- the one of nobody (0006_personal_data.sql)
  group by 1 order by 1
  on conflict (hour) do update set sessions = h.sessions + excluded.sessions, converted = h.converted + excluded.converted;
  return null;
end $$;
revoke all on function marketplace_internal.count_removed_guest_sessions() from public, anon, authenticated, service_role;
comment on function marketplace_internal.count_removed_guest_sessions() is 'Trigger function: keeps the counts of guest sessions that go.';

do $$
begin
  if to_regclass('public.amara_messages') is not null then
    create or replace view marketplace_internal.conversations_per_hour with (security_invoker = true) as
      select pg_catalog.date_trunc('hour', c.created_at, 'UTC') as hour, count(*) as conversations
      from public.amara_conversations c
      where c.created_at >= now() - interval '7 days' and c.last_message_at >= now() - interval '7 days' -- implied, and indexed
      group by 1;
    comment on view marketplace_internal.conversations_per_hour is
      'Conversations begun, 7 days back. Example: select * from marketplace_internal.conversations_per_hour order by hour desc';

    create or replace view marketplace_internal.conversation_sizes with (security_invoker = true) as
      select c.id as conversation_id, count(m.id) as messages, coalesce(sum(pg_catalog.length(m.content)), 0) as characters,
        coalesce(extract(epoch from max(m.created_at) - min(m.created_at)) / 60, 0) as minutes
      from public.amara_conversations c
      left join public.amara_messages m on m.conversation_id = c.id
      where c.last_message_at >= now() - interval '30 days'
      group by c.id;
    comment on view marketplace_internal.conversation_sizes is
      'Each conversation of the last 30 days. Example: select * from marketplace_internal.conversation_sizes order by messages desc limit 10';

    create or replace view marketplace_internal.messages_per_conversation with (security_invoker = true) as
      select count(*) as conversations, coalesce(sum(s.messages), 0)::bigint as messages, round(avg(s.messages), 2) as average,
        pg_catalog.percentile_cont(0.5) within group (order by s.messages) as median, max(s.messages) as most
      from marketplace_internal.conversation_sizes s;
    comment on view marketplace_internal.messages_per_conversation is
      'Over the conversations of the last 30 days. Example: select average from marketplace_internal.messages_per_conversation';

    create or replace view marketplace_internal.conversation_length with (security_invoker = true) as
      select round(avg(s.characters), 1) as characters_average,
        pg_catalog.percentile_cont(0.5) within group (order by s.characters) as characters_median,
        round(avg(s.minutes), 2) as minutes_average,
        round((pg_catalog.percentile_cont(0.5) within group (order by s.minutes))::numeric, 2) as minutes_median
      from marketplace_internal.conversation_sizes s;
    comment on view marketplace_internal.conversation_length is
      'Characters of all messages, and minutes from the first to the last, over the conversations of the last 30 days. '
      'Example: select minutes_median from marketplace_internal.conversation_length';
  else
    raise notice 'no views of conversations: 0002_amara.sql is not applied';
  end if;

  if to_regclass('marketplace_internal.chat_requests') is not null then
    create or replace view marketplace_internal.chat_errors_per_hour with (security_invoker = true) as
      select pg_catalog.date_trunc('hour', r.created_at, 'UTC') as hour, sum(r.attempt) as requests, sum(r.failures) as failed,
        round(100.0 * sum(r.failures) / sum(r.attempt), 2) as error_rate
      from marketplace_internal.chat_requests r
      where r.created_at >= now() - interval '7 days'
      group by 1;
    comment on view marketplace_internal.chat_errors_per_hour is
      'Requests to the chat endpoint, each attempt of one, and the percent that the assistant failed, 7 days back; who leaves before the answer is no failure. Example: select * from marketplace_internal.chat_errors_per_hour where error_rate > 5';
  end if;

  if to_regclass('public.guest_sessions') is not null then
    create or replace trigger count_removed_guest_sessions after delete on public.guest_sessions
      referencing old table as removed for each statement execute function marketplace_internal.count_removed_guest_sessions();
    create or replace view marketplace_internal.guest_sessions_per_hour with (security_invoker = true) as
      select h.hour, sum(h.sessions)::bigint as sessions, sum(h.converted)::bigint as converted,
        round(100.0 * sum(h.converted) / sum(h.sessions), 2) as conversion_rate
      from (
        select k.hour, k.sessions, k.converted from marketplace_internal.guest_session_hours k
        union all
        select pg_catalog.date_trunc('hour', g.created_at, 'UTC'), 1, (g.metadata ? 'converted_to_user_id')::int
        from public.guest_sessions g where g.id <> '00000000-0000-4000-8000-000000000000'
      ) h
      group by h.hour;
    comment on view marketplace_internal.guest_sessions_per_hour is
      'Guest sessions by the hour in which they were made, and the percent of them that became users since; removed ones too. '
      'Example: select * from marketplace_internal.guest_sessions_per_hour where hour >= now() - interval ''1 day'' order by hour';
  else
    raise notice 'no view of guest sessions: 0003_guest_sessions.sql is not applied';
  end if;

  if to_regclass('marketplace_internal.job_runs') is not null then
    create or replace view marketplace_internal.job_success with (security_invoker = true) as
      select s.job, s.overdue, s.last_good, s.last_error, count(r.run_id) as runs, count(r.run_id) filter (where r.error is not null) as failed,
        round(100.0 * count(r.run_id) filter (where r.error is null) / nullif(count(r.run_id), 0), 2) as success_rate,
        coalesce(sum(r.removed), 0)::bigint as removed,
        round((pg_catalog.percentile_cont(0.5) within group (order by extract(epoch from r.finished_at - r.started_at)))::numeric, 3) as seconds_median
      from marketplace_internal.job_states() s
      left join marketplace_internal.job_runs r on r.job = s.job and r.started_at >= now() - interval '90 days'
      group by s.job, s.overdue, s.last_good, s.last_error;
    comment on view marketplace_internal.job_success is
      'Runs of each job, 90 days back. Example: select job, success_rate from marketplace_internal.job_success where overdue or failed > 0';
  end if;
end $$;

-- A booking is traced where a session of its customer's, or the guest's, has a SearchStarted in the 30 days before it. By the indexes on
-- (session_id, created_at) and (user_id, created_at): a look into each of those days per booking and session, whatever the days hold.
do $$
declare
  sessions text := 'select s.session_id from events_internal.session_users s where s.user_id = b.customer_id';
  has_columns constant boolean := 2 = (
    select count(*) from pg_attribute a
    where a.attrelid = to_regclass('public.bookings') and a.attname in ('customer_id', 'created_at') and not a.attisdropped);
begin
  if not has_columns then
    raise notice 'no view of booking attribution: public.bookings has no customer_id and created_at';
    return;
  end if;
  if to_regclass('public.guest_sessions') is not null and exists (
    select from pg_attribute a where a.attrelid = 'public.bookings'::regclass and a.attname = 'guest_session_id' and not a.attisdropped
  ) then
    sessions := sessions || $sql$ union all
            select x.session_id from public.guest_sessions g, lateral (values (g.metadata ->> 'analytics_session_id'), (g.id::text)) x (session_id)
            where g.id = b.guest_session_id$sql$;
  end if;
  execute format($sql$
    create or replace view marketplace_internal.booking_attribution with (security_invoker = true) as
      select (b.created_at at time zone 'UTC')::date as day, count(*) as bookings, count(*) filter (where t.traced) as traced,
        round(100.0 * count(*) filter (where t.traced) / count(*), 2) as share
      from public.bookings b
      cross join lateral (
        select exists (
            select from public.platform_events e
            where e.user_id = b.customer_id and e.event_type = 'SearchStarted'
              and e.created_at < b.created_at and e.created_at >= b.created_at - interval '30 days' and e.created_at >= now() - interval '38 days'
          ) or exists (
            select from (%s) own
            cross join lateral (
              select from public.platform_events e
              where e.session_id = own.session_id and e.event_type = 'SearchStarted' and (e.user_id is null or e.user_id is not distinct from b.customer_id)
                and e.created_at < b.created_at and e.created_at >= b.created_at - interval '30 days' and e.created_at >= now() - interval '38 days'
              limit 1 -- keeps it a look by the session, instead of a join over the days
            ) e
          ) as traced
      ) t
      where b.created_at >= now() - interval '7 days'
      group by 1$sql$, sessions);
  comment on view marketplace_internal.booking_attribution is
    'Bookings by UTC day, 7 days back, and the percent traced to a search in the 30 days before by the same person: a session of theirs, or they '
    'themselves. Example: select * from marketplace_internal.booking_attribution order by day';
end $$;

create or replace view marketplace_internal.table_sizes with (security_invoker = true) as
  select n.nspname || '.' || c.relname as relation, sum(case when l.reltuples < 0 then pg_catalog.pg_stat_get_live_tuples(l.oid) else l.reltuples end)::bigint as rows_estimate,
    sum(pg_catalog.pg_total_relation_size(l.oid))::bigint as bytes, sum(pg_catalog.pg_indexes_size(l.oid))::bigint as index_bytes
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  cross join lateral (
    select c.oid where c.relkind = 'r'
    union all
    select t.relid from pg_catalog.pg_partition_tree(c.oid) t where c.relkind = 'p' and t.isleaf
  ) part
  join pg_catalog.pg_class l on l.oid = part.oid
  where n.nspname in ('public', 'marketplace_internal') and c.relkind in ('r', 'p') and not c.relispartition
  group by n.nspname, c.relname;
comment on view marketplace_internal.table_sizes is
  'Bytes with indexes, of a partitioned table over its partitions; rows as the last analyze knew, or the statistics. Example: select * from marketplace_internal.table_sizes order by bytes desc';

create or replace view marketplace_internal.index_usage with (security_invoker = true) as
  select pn.nspname || '.' || p.relname as relation, pi.relname as index, sum(s.idx_scan)::bigint as scans,
    sum(pg_catalog.pg_relation_size(s.indexrelid))::bigint as bytes
  from pg_catalog.pg_stat_user_indexes s
  left join pg_catalog.pg_inherits it on it.inhrelid = s.relid
  left join pg_catalog.pg_inherits ii on ii.inhrelid = s.indexrelid
  join pg_catalog.pg_class p on p.oid = coalesce(it.inhparent, s.relid)
  join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
  join pg_catalog.pg_class pi on pi.oid = coalesce(ii.inhparent, s.indexrelid)
  where pn.nspname in ('public', 'marketplace_internal')
    and (it.inhrelid is null or ii.inhrelid is not null) -- not what a closed day has of its own
  group by pn.nspname, p.relname, pi.relname;
comment on view marketplace_internal.index_usage is
  'Scans since the statistics began, of a partitioned index over its partitions. Example: select * from marketplace_internal.index_usage where scans = 0 order by bytes desc';

create or replace function marketplace_internal.query_times(p_limit integer default 20)
  returns table (query text, calls bigint, mean_ms numeric, total_ms numeric)
  language plpgsql stable set search_path = '' as $$
declare
  -- Supabase has it in `extensions`, others in public.
  place constant text := (select pg_catalog.quote_ident(n.nspname) from pg_catalog.pg_extension x
    join pg_catalog.pg_namespace n on n.oid = x.extnamespace where x.extname = 'pg_stat_statements');
begin
  if place is null then
    return;
  end if;
  return query execute pg_catalog.format($sql$
    select left(s.query, 300), s.calls, round(s.mean_exec_time::numeric, 3), round(s.total_exec_time::numeric, 1)
    from %s.pg_stat_statements s
    where s.dbid = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
      -- Statements of these kinds alone have their values taken out.
      and s.query ~* '^\s*(select|insert|update|delete|with|merge)\M'
      and s.query ~* '(amara_|guest_|bookings|platform_events|marketplace_internal|referral|get_conversion_funnel|get_event_counts)'
    order by s.total_exec_time desc limit $1$sql$, place) using p_limit;
exception
  -- Installed and not preloaded, or not this login's to read.
  when object_not_in_prerequisite_state or insufficient_privilege or undefined_column then
    return;
end $$;
revoke all on function marketplace_internal.query_times(integer) from public, anon, authenticated, service_role;
comment on function marketplace_internal.query_times(integer) is
  'Statements on this module''s tables and the events, by the time they took in all, from pg_stat_statements; none where that is not. '
  'Example: select * from marketplace_internal.query_times(5)';

-- Invoker: no function that runs as its owner may change the role.
create or replace function marketplace_internal.row_security_cost(p_relation regclass, p_user_id uuid, p_role name default 'authenticated')
  returns table (relation text, role name, rows_seen bigint, ms numeric, ms_as_owner numeric, rows_as_owner bigint)
  language plpgsql volatile set search_path = '' as $$
declare
  usual_role constant text := pg_catalog.current_setting('role');
  usual_claims constant text := coalesce(pg_catalog.current_setting('request.jwt.claims', true), '');
  started timestamptz;
begin
  relation := p_relation::text;
  role := p_role;
  -- The first time warms the cache for both.
  for turn in 1..2 loop
    started := pg_catalog.clock_timestamp();
    execute pg_catalog.format('select count(*) from %s', p_relation) into rows_as_owner;
    ms_as_owner := round(1000 * extract(epoch from pg_catalog.clock_timestamp() - started), 3);
  end loop;
  perform pg_catalog.set_config('request.jwt.claims', pg_catalog.jsonb_build_object('sub', p_user_id, 'role', p_role)::text, true),
    pg_catalog.set_config('role', p_role, true);
  started := pg_catalog.clock_timestamp();
  execute pg_catalog.format('select count(*) from %s', p_relation) into rows_seen;
  ms := round(1000 * extract(epoch from pg_catalog.clock_timestamp() - started), 3);
  perform pg_catalog.set_config('role', usual_role, true), pg_catalog.set_config('request.jwt.claims', usual_claims, true);
  return next;
end $$;
revoke all on function marketplace_internal.row_security_cost(regclass, uuid, name) from public, anon, authenticated, service_role;
comment on function marketplace_internal.row_security_cost(regclass, uuid, name) is
  'The same count as the owner and as a signed-in user under row level security, in milliseconds. It reads the whole table: on demand. '
  'Example: select * from marketplace_internal.row_security_cost(''public.amara_messages'', ''6f1c…'')';

-- Dynamic where a view may not be there.
create or replace function marketplace_internal.monitoring(p_caller name) returns jsonb
  language plpgsql volatile security definer set search_path = '' as $$
declare
  all_views jsonb := pg_catalog.jsonb_build_object('at', pg_catalog.clock_timestamp());
  asked record;
  answer jsonb;
begin
  perform events_internal.require_reader(p_caller);
  for asked in
    select * from (values
      ('conversations_per_hour', 'conversations_per_hour', 'where hour >= now() - interval ''1 day'' order by hour', true),
      ('messages_per_conversation', 'messages_per_conversation', '', false),
      ('conversation_length', 'conversation_length', '', false),
      ('chat_errors_per_hour', 'chat_errors_per_hour', 'where hour >= now() - interval ''1 day'' order by hour', true),
      ('guest_sessions_per_hour', 'guest_sessions_per_hour', 'where hour >= now() - interval ''1 day'' order by hour', true),
      ('booking_attribution', 'booking_attribution', 'order by day', true),
      ('jobs', 'job_success', 'order by job', true),
      ('table_sizes', 'table_sizes', 'order by bytes desc, relation limit 20', true),
      ('index_usage', 'index_usage', 'order by bytes desc, index limit 30', true)
    ) v (name, view, rest, many)
  loop
    continue when pg_catalog.to_regclass('marketplace_internal.' || asked.view) is null;
    execute pg_catalog.format('select %s from (select * from marketplace_internal.%I %s) v',
      case when asked.many then 'coalesce(jsonb_agg(to_jsonb(v)), ''[]'')' else 'to_jsonb(v)' end, asked.view, asked.rest) into answer;
    all_views := all_views || pg_catalog.jsonb_build_object(asked.name, answer);
  end loop;
  select coalesce(pg_catalog.jsonb_agg(to_jsonb(q)), '[]') into answer from marketplace_internal.query_times(10) q;
  all_views := all_views || pg_catalog.jsonb_build_object('query_times', answer);
  if pg_catalog.to_regclass('marketplace_internal.unsent_events') is not null then
    all_views := all_views || pg_catalog.jsonb_build_object('unsent_events', (select count(*) from marketplace_internal.unsent_events));
  end if;
  return all_views;
end $$;
revoke all on function marketplace_internal.monitoring(name) from public, anon, authenticated, service_role;
grant execute on function marketplace_internal.monitoring(name) to authenticated, service_role;
comment on function marketplace_internal.monitoring(name) is 'Body of get_marketplace_monitoring. Raises 42501 unless the caller may read the events.';

create or replace function public.get_marketplace_monitoring() returns jsonb
  language sql volatile security invoker set search_path = ''
begin atomic
  select marketplace_internal.monitoring(current_user);
end;
revoke all on function public.get_marketplace_monitoring() from public, anon, authenticated, service_role;
grant execute on function public.get_marketplace_monitoring() to authenticated, service_role;
comment on function public.get_marketplace_monitoring() is
  'All that marketplace_internal''s views of monitoring say, the hourly ones for a day back, as one JSON object. For admins and service_role. '
  'Example: select get_marketplace_monitoring() -> ''messages_per_conversation''';
