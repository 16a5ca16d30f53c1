-- Forgetting a person: everything that names them goes, everything that is counted stays. `select * from forget_actor('user:…')`.
--
-- Whose an event is says the core's rule: a user's are those with user_id, and those without one in sessions that belong to the user
-- (session_users). On a shared device what carries another user's id is the other's, and stays.
--
--   * Counts: an event keeps id, type, times, source and its day, and loses user, session, tracker instance and properties. So neither the
--     rollup nor the ledger nor deduplication sees a difference, before, during or after: one UPDATE, which changes no hour and no type.
--   * Numbers that trackers gave: the events' go to rejected_numbers, as those of deleted rows do, or a gap would show. They leave with the
--     late window, as do the rows of stream_days: the ids of tracker instances, which nothing ties to anybody any more.
--   * Dead letters and the quarantine: the lines are emptied and stay, because the ledger counts them. Open letters are given up.
--   * Segments: a day in which an event changed is marked as by any UPDATE, and its segment is emptied at once, for the values of properties
--     lie in it. A builder whose snapshot is older cannot put its segment in place: the row that it updates was changed (40001).
--   * Keys in `actors`. 0019 rests on: who newly maps a session and does not find its key in actors touches no segment. Let K be a key that we
--     remove. A segment counts rows to K only if its snapshot B shows such rows. We take the lock 'segment mapping' in shared mode before
--     we look for anything, and the builder holds it alone while it takes B. So B is either older than our first look, and then
--     our UPDATE sees every row to K that B shows and marks its day (or somebody who changed or moved it before has); or B is
--     younger than our commit, shows actors without K, and the builder, should it meet a late row to K, begins again and numbers K
--     anew (a new number; every segment with the former one is marked). So no segment that may be used counts a row to a key that is
--     not in actors, and there is nothing that a mapper could fail to mark. Of a person who is forgotten up to a moment only, and has
--     events since, the keys stay.
--
-- Whoever loads while we look cannot be seen. What of the person is committed later is looked for afterwards: deleted_users and
-- forgotten_sessions remember them for as long as anonymise_late_events looks back (15 days), which treats them as we do; then these rows go, too.
--
-- Order of locks: one that forgets at a time; lines (whoever replays one holds it and then wants a session); 'segment mapping';
-- sessions in key order, as the consumer's; events; segments by day.

set local role events_owner;

alter table events_internal.deleted_users add column forgotten_at timestamptz;
comment on column events_internal.deleted_users.forgotten_at is
  'Set by forget_actor: events of theirs from before that come late are emptied, not only anonymised. Such a row is removed after 15 days.';
comment on table events_internal.actors is
  'Small numbers for the actors in day segments, by resolved key: the user''s, or of a guest the session''s. Only the builder adds to it, only '
  'forget_actor removes (0042 says why it may); nothing is ever changed. 96 bytes an actor with both indexes.';

create table events_internal.forgotten_sessions (
  session_id text primary key,
  forgotten_at timestamptz not null default now()
);
comment on table events_internal.forgotten_sessions is
  'Sessions of people who were forgotten, for events of before that come late. A row is removed after 15 days.';

create function events_internal.people_of_line(
  p_line bytea, p_key bytea, p_set_aside_at timestamptz, p_received_at timestamptz, p_people jsonb) returns text[]
  language plpgsql stable set search_path = '' as $$
declare
  line json;
  person text;
  session text;
  bytes text;
  named text[];
begin
  begin
    line := pg_catalog.convert_from(p_line, 'UTF8')::json;
    person := pg_catalog.lower(line ->> 'user_id');
    session := line ->> 'session_id';
  exception when data_exception or program_limit_exceeded then
    null; -- what was read until then counts
  end;
  if person ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    named := array['user:' || person];
  elsif person is null and session is not null then
    named := array['session:' || session];
  else
    -- No event, or of nobody who could be: then whoever is named in it.
    bytes := pg_catalog.lower(pg_catalog.encode(p_line, 'escape'));
    named := array(
      select k.key from pg_catalog.jsonb_object_keys(p_people) k (key),
        lateral (select pg_catalog.substr(k.key, pg_catalog.strpos(k.key, ':') + 1)) w (id)
      where case when k.key like 'user:%' then pg_catalog.strpos(bytes, w.id) > 0
        else pg_catalog.convert_to(w.id, 'UTF8') = p_key
          or pg_catalog.strpos(bytes, pg_catalog.lower(pg_catalog.encode(pg_catalog.convert_to('"' || w.id || '"', 'UTF8'), 'escape'))) > 0 end);
  end if;
  return array(
    select n.who from pg_catalog.unnest(named) n (who)
    where (p_people -> n.who ->> 'since')::timestamptz <= p_set_aside_at and p_received_at < (p_people -> n.who ->> 'before')::timestamptz);
end $$;
revoke all on function events_internal.people_of_line(bytea, bytea, timestamptz, timestamptz, jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.people_of_line(bytea, bytea, timestamptz, timestamptz, jsonb) is
  'Which of these people a line is of that was set aside: its user''s or, where it has no user, its session''s. A line that is no event is of all '
  'whose user id, or session id in quotes, it holds anywhere, and of the session whose key it came under. p_people: {"user:<uuid, lower case>" or '
  '"session:<id>": {"since", "before"}}, the times between which it was set aside and received.';

create function events_internal.empty_lines(
  p_people jsonb, out letters bigint, out unpublished bigint, out quarantined bigint, out people text[])
  language plpgsql volatile set search_path = '' as $$
declare
  since constant timestamptz := (select pg_catalog.min((p.value ->> 'since')::timestamptz) from pg_catalog.jsonb_each(p_people) p);
  ids bigint[];
begin
  with theirs as materialized (
    select l.dead_letter_id, pg_catalog.array_cat(
      events_internal.people_of_line(l.raw, l.record_key, l.dead_at, coalesce(l.received_at, l.dead_at), p_people),
      case when l.mended is null then '{}'
        else events_internal.people_of_line(l.mended, l.record_key, l.dead_at, coalesce(l.received_at, l.dead_at), p_people) end) as whose
    from events_internal.dead_letters l
    where l.dead_at >= since and (l.raw <> '' or l.mended is not null)
  )
  select array(select t.dead_letter_id from theirs t where t.whose <> '{}' order by 1),
    array(select distinct o from theirs t, pg_catalog.unnest(t.whose) o) into ids, people;
  perform from events_internal.dead_letters l where l.dead_letter_id = any (ids) order by l.dead_letter_id for update;
  insert into events_internal.rejected_numbers (stream, seq, source_id, day)
  select m.stream, m.seq, coalesce(l.source_id, 0), (l.received_at at time zone 'UTC')::date
  from events_internal.dead_letters l, events_internal.number_of_line(coalesce(l.mended, l.raw)) m
  where l.dead_letter_id = any (ids) and l.received_at >= now() - interval '9 days' and coalesce(l.resolution, 'given_up') = 'given_up'
  order by 1, 2
  on conflict do nothing;
  update events_internal.dead_letters l
  set raw = '', mended = null, record_key = null, message = null, note = 'forgotten', resolved_at = coalesce(l.resolved_at, now()),
      resolution = coalesce(l.resolution, 'given_up'), resolved_by = coalesce(l.resolved_by, 'forget_actor')
  where l.dead_letter_id = any (ids);
  get diagnostics letters = row_count;
  -- Who is locked is on the way to Kafka this very moment; should that fail, an empty line goes there.
  delete from events_internal.dead_letter_outbox o
  where o.dead_letter_id in (
    select w.dead_letter_id from events_internal.dead_letter_outbox w where w.dead_letter_id = any (ids) for update skip locked);
  get diagnostics unpublished = row_count;

  with theirs as materialized (
    select q.quarantine_id, events_internal.people_of_line(q.raw, null, q.quarantined_at, coalesce(q.received_at, q.quarantined_at), p_people) as whose
    from events_internal.quarantined_events q
    where q.quarantined_at >= since and q.raw <> ''
  )
  select array(select t.quarantine_id from theirs t where t.whose <> '{}' order by 1),
    people || array(select distinct o from theirs t, pg_catalog.unnest(t.whose) o) into ids, people;
  perform from events_internal.quarantined_events q where q.quarantine_id = any (ids) order by q.quarantine_id for update;
  insert into events_internal.rejected_numbers (stream, seq, source_id, day)
  select m.stream, m.seq, coalesce(q.source_id, 0), (q.received_at at time zone 'UTC')::date
  from events_internal.quarantined_events q, events_internal.number_of_line(q.raw) m
  where q.quarantine_id = any (ids) and q.received_at >= now() - interval '9 days'
  order by 1, 2
  on conflict do nothing;
  update events_internal.quarantined_events q set raw = '' where q.quarantine_id = any (ids);
  get diagnostics quarantined = row_count;
end $$;
revoke all on function events_internal.empty_lines(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.empty_lines(jsonb) is
  'Empties the dead letters and quarantined lines of these people, in the form of people_of_line(), and says of whom there were any. Reads every line '
  'since the earliest of them once, however many people they are.';

-- enable_seqscan: a person has few events, and there are 90 days.
-- Joined with itself, because RETURNING knows the old stream and seq from 18 on only.
create function events_internal.empty_events(
  p_user uuid, p_sessions text[], p_before timestamptz, out events bigint, out mappings bigint, out keys bigint, out segments bigint, out sessions text[])
  language plpgsql volatile set search_path = '' set enable_seqscan = off as $$
declare
  days date[];
  more_days date[];
  more_events bigint;
begin
  perform pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtext('segment mapping'), 0);
  -- In key order, as the consumer takes them, or the two deadlock.
  sessions := array(
    select s.session_id from events_internal.session_users s
    where s.user_id = p_user and s.first_created_at < p_before
    order by s.session_id collate "C" for update);

  with emptied as (
    update public.platform_events e
    set user_id = null, session_id = null, stream = null, seq = null, properties = '{}'
    from (select o.created_at, o.id, o.stream, o.seq from public.platform_events o where o.user_id = p_user and o.created_at < p_before) b
    where e.created_at = b.created_at and e.id = b.id and e.user_id = p_user
    returning e.created_at, e.source_id, b.stream, b.seq
  ), numbers as (
    insert into events_internal.rejected_numbers (stream, seq, source_id, day)
    select b.stream, b.seq, b.source_id, (b.created_at at time zone 'UTC')::date from emptied b
    where b.stream is not null and b.seq is not null and b.created_at >= now() - interval '9 days'
    order by 1, 2
    on conflict do nothing
  )
  select count(*), pg_catalog.array_agg(distinct (b.created_at at time zone 'UTC')::date) into events, days from emptied b;
  with emptied as (
    update public.platform_events e
    set session_id = null, stream = null, seq = null, properties = '{}'
    from (
      select o.created_at, o.id, o.stream, o.seq from public.platform_events o
      where o.session_id = any (sessions || p_sessions) and o.user_id is null and o.created_at < p_before
    ) b
    where e.created_at = b.created_at and e.id = b.id and e.user_id is null and e.session_id = any (sessions || p_sessions)
    returning e.created_at, e.source_id, b.stream, b.seq
  ), numbers as (
    insert into events_internal.rejected_numbers (stream, seq, source_id, day)
    select b.stream, b.seq, b.source_id, (b.created_at at time zone 'UTC')::date from emptied b
    where b.stream is not null and b.seq is not null and b.created_at >= now() - interval '9 days'
    order by 1, 2
    on conflict do nothing
  )
  select count(*), pg_catalog.array_agg(distinct (b.created_at at time zone 'UTC')::date) into more_events, more_days from emptied b;
  events := events + more_events;
  days := days || more_days;

  delete from events_internal.session_users s where s.user_id = p_user and s.session_id = any (sessions);
  get diagnostics mappings = row_count;
  -- A shared device: the session is now its next user's.
  insert into events_internal.session_users as s (session_id, session_key, user_id, user_key, first_created_at, first_id)
  select n.session_id, events_internal.actor_key(null, n.session_id), n.user_id, n.actor_key, n.created_at, n.id
  from (
    select distinct on (e.session_id) e.session_id, e.user_id, e.actor_key, e.created_at, e.id
    from public.platform_events e
    where e.session_id = any (sessions) and e.user_id is not null
    order by e.session_id, e.created_at, e.id
  ) n
  order by n.session_id collate "C"
  on conflict (session_id) do update
    set user_id = excluded.user_id, user_key = excluded.user_key,
        first_created_at = excluded.first_created_at, first_id = excluded.first_id
    where (excluded.first_created_at, excluded.first_id) < (s.first_created_at, s.first_id);

  perform from events_internal.event_segments s where s.day = any (days) and s.version is not null order by s.day for update;
  update events_internal.event_segments s
  set version = null, format = null, row_count = null, actor_count = null, all_properties = null, body = null, built_at = null
  where s.day = any (days) and s.version is not null;
  get diagnostics segments = row_count;
  delete from events_internal.event_segment_columns c where c.day = any (days);

  keys := 0;
  if p_before = 'infinity' then
    delete from events_internal.actors a
    where a.actor_key = events_internal.actor_key(p_user, null)
      or a.actor_key = any (array(select events_internal.actor_key(null, s) from pg_catalog.unnest(sessions || p_sessions) s));
    get diagnostics keys = row_count;
  end if;
end $$;
revoke all on function events_internal.empty_events(uuid, text[], timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.empty_events(uuid, text[], timestamptz) is
  'Empties the events before a time that are a user''s, and those without a user in these sessions; forgets whose the user''s sessions were (which they were: sessions), '
  'and the days'' segments. The argument is at the head of 0042.';

create function events_internal.empty_before(p_user uuid, p_sessions text[], out events bigint, out sessions text[])
  language plpgsql volatile set search_path = '' as $$
declare
  theirs text[];
begin
  sessions := '{}';
  if pg_catalog.to_regclass('events_internal.platform_events_before') is null then
    return;
  end if;
  -- Sessions that belong to the user once their rows are copied.
  sessions := array(
    select n.session_id from (
      select distinct on (b.session_id) b.session_id::text as session_id, b.user_id, b.created_at, b.id
      from events_internal.platform_events_before b
      where b.user_id is not null and b.session_id in (
        select o.session_id from events_internal.platform_events_before o where o.user_id = p_user and o.session_id is not null)
      order by b.session_id, b.created_at, b.id
    ) n
    left join events_internal.session_users s on s.session_id = n.session_id and (s.first_created_at, s.first_id) < (n.created_at, n.id)
    where n.user_id = p_user and coalesce(s.user_id, p_user) = p_user);
  theirs := p_sessions || sessions || array(select s.session_id from events_internal.session_users s where s.user_id = p_user);
  begin
    update events_internal.platform_events_before b
    set user_id = null, session_id = null, properties = '{}'
    where b.user_id = p_user or b.user_id is null and b.session_id = any (theirs);
  exception when not_null_violation then
    delete from events_internal.platform_events_before b where b.user_id = p_user or b.user_id is null and b.session_id = any (theirs);
  end;
  get diagnostics events = row_count;
end $$;
revoke all on function events_internal.empty_before(uuid, text[]) from public, anon, authenticated, service_role;
comment on function events_internal.empty_before(uuid, text[]) is
  'Empties a person''s rows in the table of before that import_before copies from; null where there is none. Reads all of it.';

create function events_internal.forget(p_user uuid, p_sessions text[]) returns table (place text, action text, n bigint)
  language plpgsql volatile security definer set search_path = '' as $$
declare
  given text[];
  before record;
  lines record;
  emptied record;
  remembered bigint;
  moment timestamptz;
begin
  -- In an older snapshot rows could be missed that a segment has.
  if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'a person is forgotten in a transaction that is read committed' using errcode = 'invalid_transaction_state';
  end if;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('events_internal.forget'));
  given := array(
    select distinct g from pg_catalog.unnest(p_sessions) g
    where not exists (select from events_internal.session_users s where s.session_id = g and s.user_id is distinct from p_user)
    order by 1);
  select * into before from events_internal.empty_before(p_user, given);
  given := given || before.sessions;
  select * into lines from events_internal.empty_lines((
    select coalesce(pg_catalog.jsonb_object_agg(w.who, '{"since": "-infinity", "before": "infinity"}'::jsonb), '{}')
    from (
      select 'user:' || p_user::text where p_user is not null
      union select 'session:' || g from pg_catalog.unnest(given) g
      union select 'session:' || s.session_id from events_internal.session_users s where s.user_id = p_user
    ) w (who)));
  select * into emptied from events_internal.empty_events(p_user, given, 'infinity');

  moment := pg_catalog.clock_timestamp();
  if p_user is not null then
    insert into events_internal.deleted_users as d (user_id, forgotten_at) values (p_user, moment)
    on conflict (user_id) do update set forgotten_at = excluded.forgotten_at;
  end if;
  insert into events_internal.forgotten_sessions as f (session_id, forgotten_at)
  select distinct s, moment from pg_catalog.unnest(given || emptied.sessions) s order by 1
  on conflict (session_id) do update set forgotten_at = excluded.forgotten_at;
  get diagnostics remembered = row_count;

  return query values
    ('public.platform_events', 'emptied', emptied.events),
    ('events_internal.session_users', 'deleted', emptied.mappings),
    ('events_internal.actors', 'deleted', emptied.keys),
    ('events_internal.event_segments', 'emptied, built again by retention', emptied.segments),
    ('events_internal.dead_letters', 'emptied', lines.letters),
    ('events_internal.dead_letter_outbox', 'deleted', lines.unpublished),
    ('events_internal.quarantined_events', 'emptied', lines.quarantined);
  if before.events is not null then
    return query values ('events_internal.platform_events_before', 'emptied', before.events);
  end if;
  return query values
    ('events_internal.deleted_users', 'kept for 15 days, for events that come late', (p_user is not null)::int::bigint),
    ('events_internal.forgotten_sessions', 'kept for 15 days, for events that come late', remembered),
    ('event log and its spools', 'not reached: emptied when they come, removed by the log''s retention', null::bigint),
    ('platform.events.dlq.v1', 'not reached: removed by the topic''s retention', null::bigint),
    ('backups', 'not reached', null::bigint);
end $$;
revoke all on function events_internal.forget(uuid, text[]) from public, anon, authenticated, service_role;
comment on function events_internal.forget(uuid, text[]) is
  'Forgets a user and sessions at once; a session that belongs to another user is left out. Body of forget_actor.';

create function events_internal.forget_actor(p_actor text) returns table (place text, action text, n bigint)
  language plpgsql volatile security definer set search_path = '' as $$
declare
  kind constant text := (pg_catalog.regexp_match(p_actor, '^(user|session):'))[1];
  named constant text := pg_catalog.substr(p_actor, pg_catalog.length(kind) + 2);
  owner uuid;
begin
  if kind = 'user' and named ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    return query select f.place, f.action, f.n from events_internal.forget(named::uuid, '{}') f;
    return;
  elsif kind is distinct from 'session' or named = '' then
    raise exception '% names nobody', coalesce(p_actor, 'null') using errcode = 'invalid_parameter_value',
      hint = 'p_actor is user:<uuid> or session:<id>.';
  end if;
  select s.user_id into owner from events_internal.session_users s where s.session_id = named;
  if owner is not null then
    raise exception 'this session belongs to a user' using errcode = 'invalid_parameter_value',
      hint = pg_catalog.format('Forget the user, with all sessions: select * from forget_actor(''user:%s'')', owner);
  end if;
  return query select f.place, f.action, f.n from events_internal.forget(null, array[named]) f;
end $$;
revoke all on function events_internal.forget_actor(text) from public, anon, authenticated, service_role;
grant execute on function events_internal.forget_actor(text) to service_role;
comment on function events_internal.forget_actor(text) is 'Body of public.forget_actor().';

create function public.forget_actor(p_actor text) returns table (place text, action text, n bigint)
  language sql volatile security invoker set search_path = ''
begin atomic
  select f.place, f.action, f.n from events_internal.forget_actor(p_actor) f;
end;
revoke all on function public.forget_actor(text) from public, anon, authenticated, service_role;
grant execute on function public.forget_actor(text) to service_role;
comment on function public.forget_actor(text) is
  'Forgets a person, user:<uuid> or session:<id> of a guest, everywhere in the analytics tables: their events stay as events of nobody without properties, so no count '
  'changes. Returns each place, what was done there and to how many; n is null where it does not reach. Properties of other people''s events that name them are those '
  'people''s, and stay. Do it before the user is deleted: afterwards nobody knows which sessions were theirs. For service_role and members of events_owner. '
  'Example: select * from forget_actor(''user:10000000-0000-4000-8000-000000000001'')';

-- Of a user who was forgotten first and is now deleted nothing must stay, either.
create or replace function events_internal.anonymise(p_user_id uuid) returns void
  language plpgsql volatile security definer set search_path = '' as $$
declare
  sessions text[];
begin
  if exists (select from events_internal.deleted_users d where d.user_id = p_user_id and d.forgotten_at is not null) then
    perform events_internal.empty_events(p_user_id, '{}', 'infinity');
    return;
  end if;

  -- In key order, as the consumer takes them, or the two deadlock.
  perform from events_internal.session_users s where s.user_id = p_user_id order by s.session_id collate "C" for update;
  with gone as (delete from events_internal.session_users s where s.user_id = p_user_id returning s.session_id)
  select pg_catalog.array_agg(g.session_id) into sessions from gone g;
  update public.platform_events e set user_id = null where e.user_id = p_user_id; -- check_update makes it the session's

  -- A shared device: the session is now its next user's.
  insert into events_internal.session_users as s (session_id, session_key, user_id, user_key, first_created_at, first_id)
  select n.session_id, events_internal.actor_key(null, n.session_id), n.user_id, n.actor_key, n.created_at, n.id
  from (
    select distinct on (e.session_id) e.session_id, e.user_id, e.actor_key, e.created_at, e.id
    from public.platform_events e
    where e.session_id = any(sessions) and e.user_id is not null
    order by e.session_id, e.created_at, e.id
  ) n
  order by n.session_id collate "C"
  on conflict (session_id) do update
    set user_id = excluded.user_id, user_key = excluded.user_key,
        first_created_at = excluded.first_created_at, first_id = excluded.first_id
    where (excluded.first_created_at, excluded.first_id) < (s.first_created_at, s.first_id);
end $$;

-- Events that have come of a person since they were forgotten, or of before.
create function events_internal.forget_late(p_user uuid, p_session text, p_forgotten_at timestamptz, p_before timestamptz) returns boolean
  language plpgsql volatile set search_path = '' set enable_seqscan = off as $$
declare
  own constant text[] := case when p_session is null then '{}' else array[p_session] end;
  emptied record;
begin
  if not exists (
      select from public.platform_events e
      where e.user_id = p_user and e.created_at >= now() - interval '15 days' and e.created_at < p_before limit 1)
    and not exists (
      select from public.platform_events e
      where e.session_id = p_session and e.user_id is null and e.created_at >= now() - interval '15 days' and e.created_at < p_before limit 1)
  then
    return false;
  end if;
  select * into emptied from events_internal.empty_events(p_user, own, p_before);
  insert into events_internal.forgotten_sessions (session_id, forgotten_at)
  select s, p_forgotten_at from pg_catalog.unnest(emptied.sessions) s order by 1
  on conflict do nothing;
  return true;
end $$;
revoke all on function events_internal.forget_late(uuid, text, timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.forget_late(uuid, text, timestamptz, timestamptz) is
  'Empties events that came late of a forgotten user or session, of the time before p_before. Whether there was any.';

reset role;

create function events_internal.forgotten_people() returns table (who text, user_id uuid, session_id text, forgotten_at timestamptz, before timestamptz)
  language sql stable set search_path = '' as $$
    -- Who is still there, or there again, was forgotten up to that moment.
    select 'user:' || d.user_id::text, d.user_id, null, d.forgotten_at,
      case when exists (select from auth.users u where u.id = d.user_id and u.deleted_at is null) then d.forgotten_at else 'infinity' end
    from events_internal.deleted_users d where d.forgotten_at is not null
    union all
    select 'session:' || f.session_id, null, f.session_id, f.forgotten_at, f.forgotten_at from events_internal.forgotten_sessions f
    order by 2, 3
  $$;
revoke all on function events_internal.forgotten_people() from public, anon, authenticated, service_role;
comment on function events_internal.forgotten_people() is
  'Whom forget_actor has forgotten within 15 days: who as people_of_line() names them, and until when what comes late is of then.';

create or replace function events_internal.anonymise_late_events() returns integer
  language plpgsql volatile security definer set search_path = '' as $$
declare
  late record;
  had_lines text[];
  found_any integer := 0;
begin
  -- Twice the late window back. LIMIT keeps this a look into the index for each user, instead of a join over the days.
  for late in
    select d.user_id from events_internal.deleted_users d
    cross join lateral (
      select from public.platform_events e
      where e.user_id = d.user_id and e.created_at >= now() - interval '15 days'
      limit 1
    ) e
    where d.forgotten_at is null and not exists (select from auth.users u where u.id = d.user_id and u.deleted_at is null)
  loop
    perform events_internal.anonymise(late.user_id);
    found_any := found_any + 1;
  end loop;

  if exists (select from events_internal.deleted_users d where d.forgotten_at is not null) or exists (select from events_internal.forgotten_sessions) then
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('events_internal.forget'));
    select l.people into had_lines from events_internal.empty_lines((
      select pg_catalog.jsonb_object_agg(f.who, pg_catalog.jsonb_build_object('since', f.forgotten_at, 'before', f.before))
      from events_internal.forgotten_people() f)) l;
    for late in select * from events_internal.forgotten_people() loop
      if events_internal.forget_late(late.user_id, late.session_id, late.forgotten_at, late.before) or late.who = any (had_lines) then
        found_any := found_any + 1;
      end if;
    end loop;
    delete from events_internal.deleted_users d where d.forgotten_at < now() - interval '15 days';
    delete from events_internal.forgotten_sessions f where f.forgotten_at < now() - interval '15 days';
  end if;
  return found_any;
end $$;
comment on function events_internal.anonymise_late_events() is
  'Anonymises events of deleted users that came in after the deletion, and empties those of forgotten people; retention runs it. Returns how many of these had any. '
  'Not done on the way in: a deletion and a load under way cannot see each other, so it takes a look afterwards in any case.';
