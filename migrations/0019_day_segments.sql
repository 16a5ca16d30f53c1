-- Day segments: when a day is closed, its events are also written as one columnar value, from which funnels and paths are walked. A
-- segment is derived and may always be thrown away. What it must never do is answer for rows that it does not have. So:
--
--   Let B be the snapshot in which a day was read out for its segment, and R the snapshot of a reader who sees that segment. What was
--   written in the day by a transaction that R sees and B does not, R also sees in segment_changes.
--
-- Writers and the builder take no lock for that, and no writer waits. It holds because of an order:
--
--   * A writer writes its rows first, and looks after that, in a snapshot of its own, whether the day has a row in event_segments; if so
--     it marks. So by the time it looks it has a transaction id.
--   * The builder commits a row in event_segments for the day (version 0: meant to be built), then begins a transaction for its id, y,
--     and waits until no transaction with an id below y runs any more (the fence). Only then it takes B. A writer who looked before that
--     row was there had its id before y was given, so it has ended, and B sees what it wrote. All others saw the row, and marked.
--   * The mark is in the writer's transaction: who sees the rows sees the mark. The builder removes only marks that B sees, in the
--     transaction that puts the segment in place; REPEATABLE READ, so that of two builders the one with the older B fails (40001).
--
-- pg_snapshot_xmax is no y: it is one above the last transaction that has *ended*, and a running one may have that very id.
--
-- A writer in REPEATABLE READ or SERIALIZABLE looks in a snapshot that may be older than anything: it marks without looking.
--
-- Rows belong to actors as session_users says, so a change there changes segments of days in which nothing was written:
--
--   * actors has every key to which any segment counts rows: a guest's own key above all. The builder commits the keys of a day before
--     the fence, and begins again if B shows a row whose key is not there. So whoever newly maps a session and does not find its key in
--     actors touches no segment: as above, either they had ended before B or they found it. That is nearly everybody who logs in.
--   * Who finds it, or changes or removes a mapping, marks the days in which that session has events. Which are they? A row that B sees
--     might be one that this writer cannot see yet. So the writer takes the lock 'segment mapping' in shared mode until it ends, *then*
--     looks for the days; and the builder holds it alone while it takes B. So either B sees the mapping, or the writer looks after B
--     was taken and sees every row that B sees.
--
-- Not covered, as with the rollup: statements on a partition by its own name, and rows inserted by hand with a source_id other than 0,
-- which is what a loader does: a loader marks (services/consumer/src/late-events.ts).

set local role events_owner;

create table events_internal.actors (
  actor_key bigint primary key,
  actor_no integer not null generated always as identity unique
);
comment on table events_internal.actors is
  'Small numbers for the actors in day segments, by resolved key: the user''s, or of a guest the session''s. Only the builder adds to it; nothing is ever '
  'changed or removed. 96 bytes an actor with both indexes.';

create sequence events_internal.segment_version as bigint;
comment on sequence events_internal.segment_version is 'No two builds have the same version, so that a cache may tell segments by (day, version) for ever.';

create table events_internal.event_segments (
  day date primary key,
  version bigint not null default 0,
  row_count integer,
  actor_count integer,
  all_properties boolean,
  body bytea,
  built_at timestamptz,
  check (version = 0 or (row_count is not null and actor_count is not null and all_properties is not null and body is not null and built_at is not null))
);
-- Not compressed: 0 % by pglz, and a slice of an external value is read without the rest.
alter table events_internal.event_segments alter column body set storage external;
comment on table events_internal.event_segments is
  'The events of a UTC day as columns, without their properties: packages/analytics/src/segment-format.ts has the layout. Read it through usable_segments.';
comment on column events_internal.event_segments.version is '0: meant to be built, and watched by the writers from now on. Else from segment_version, new with every build.';
comment on column events_internal.event_segments.all_properties is
  'Whether every property of the day has its row in event_segment_columns; if not, a property without one may occur all the same.';

create table events_internal.event_segment_columns (
  day date references events_internal.event_segments on delete cascade,
  property text,
  kept boolean not null,
  body bytea,
  primary key (day, property),
  check (kept = (body is not null))
);
alter table events_internal.event_segment_columns alter column body set storage external;
comment on table events_internal.event_segment_columns is
  'One top-level property of a day''s events, coded; $source is source_id. kept false: it has too many distinct values, and whoever needs it reads raw rows.';

create table events_internal.segment_changes (
  change_id bigint primary key generated always as identity,
  day date,
  created_at timestamptz,
  event_id uuid,
  check ((created_at is null) = (event_id is null)),
  check (event_id is null or day is not null)
);
create index segment_changes_day_idx on events_internal.segment_changes (day);
comment on table events_internal.segment_changes is
  'What segments lack. With event_id: a row that came after the build, to be read raw beside the segment. Without: the day''s segment is wrong, to be read raw '
  'until it is built again. Without a day: so are all. A day need not have a segment. The builder removes what it has taken in.';

create view events_internal.usable_segments as
select s.day, s.version, s.row_count, s.actor_count, s.all_properties,
  (select count(*) from events_internal.segment_changes c where c.day = s.day) as late_rows
from events_internal.event_segments s
where s.version > 0
  and not exists (select from events_internal.segment_changes c where c.day = s.day and c.event_id is null)
  and not exists (select from events_internal.segment_changes c where c.day is null);
comment on view events_internal.usable_segments is
  'The segments from which a reader may answer, together with the late_rows that segment_changes names for the day, and all other days raw; everything in one REPEATABLE '
  'READ transaction that has locked public.platform_events in ACCESS SHARE mode before its first snapshot (packages/analytics/src/segment-reading.ts).';

-- What writers call, after they have written. Volatile, all of them: each statement then looks in a new snapshot.

create function events_internal.days_to_mark(p_days date[]) returns setof date
  language plpgsql volatile set search_path = '' as $$
begin
  if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then
    return query select distinct d from pg_catalog.unnest(p_days) d where d is not null;
  else
    return query select s.day from events_internal.event_segments s where s.day = any(p_days);
  end if;
end $$;
revoke all on function events_internal.days_to_mark(date[]) from public, anon, authenticated, service_role;
comment on function events_internal.days_to_mark(date[]) is
  'Of the days in which this transaction has written rows, those that a segment may be built of: the rows must be told to segment_changes.';

create function events_internal.mark_late_event(p_created_at timestamptz, p_id uuid) returns void
  language plpgsql volatile set search_path = '' as $$
begin
  insert into events_internal.segment_changes (day, created_at, event_id)
  select d, p_created_at, p_id from events_internal.days_to_mark(array[(p_created_at at time zone 'UTC')::date]) d;
end $$;
revoke all on function events_internal.mark_late_event(timestamptz, uuid) from public, anon, authenticated, service_role;
comment on function events_internal.mark_late_event(timestamptz, uuid) is 'Tells segment_changes of a row just written.';

create function events_internal.mark_days(p_days date[]) returns void
  language plpgsql volatile set search_path = '' as $$
begin
  insert into events_internal.segment_changes (day) select d from events_internal.days_to_mark(p_days) d;
end $$;
revoke all on function events_internal.mark_days(date[]) from public, anon, authenticated, service_role;
comment on function events_internal.mark_days(date[]) is 'Tells segment_changes of days in which rows were just changed or deleted.';

create function events_internal.mark_sessions(p_session_ids text[]) returns void
  language plpgsql volatile set search_path = '' as $$
begin
  if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then
    insert into events_internal.segment_changes (day) values (null);
    return;
  end if;
  perform pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtext('segment mapping'), 0);
  insert into events_internal.segment_changes (day)
  select s.day from events_internal.event_segments s
  where exists (
    select from public.platform_events e
    where e.session_id = any(p_session_ids) and e.user_id is null -- an event's own user always wins
      and e.created_at >= s.day::timestamp at time zone 'UTC' and e.created_at < (s.day + 1)::timestamp at time zone 'UTC'
  );
end $$;
revoke all on function events_internal.mark_sessions(text[]) from public, anon, authenticated, service_role;
comment on function events_internal.mark_sessions(text[]) is
  'Tells segment_changes of the days in which sessions have events that are now another''s. Waits where a builder is just taking its snapshot: a moment.';

-- The triggers.

create function events_internal.mark_deleted() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
begin
  perform events_internal.mark_days(array(select distinct (d.created_at at time zone 'UTC')::date from deleted d));
  return null;
end $$;
revoke all on function events_internal.mark_deleted() from public, anon, authenticated, service_role;
comment on function events_internal.mark_deleted() is 'Marks the days of deleted rows.';

create trigger mark_deleted after delete on public.platform_events
  referencing old table as deleted
  for each statement execute function events_internal.mark_deleted();

create function events_internal.mark_updated() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
begin
  perform events_internal.mark_days(array(
    select (b.created_at at time zone 'UTC')::date from before b union select (a.created_at at time zone 'UTC')::date from after a));
  return null;
end $$;
revoke all on function events_internal.mark_updated() from public, anon, authenticated, service_role;
comment on function events_internal.mark_updated() is 'Marks the days of corrected rows.';

create trigger mark_updated after update on public.platform_events
  referencing old table as before new table as after
  for each statement when (pg_trigger_depth() = 0) execute function events_internal.mark_updated();

-- What triggers update (user_id, when a user is deleted) goes by row: a column list and a transition table exclude each other, and without
-- the list every direct insert, which is given its actor_key by an update, would mark its day.
create function events_internal.mark_updated_row() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
begin
  perform events_internal.mark_days(array[(old.created_at at time zone 'UTC')::date]);
  return null;
end $$;
revoke all on function events_internal.mark_updated_row() from public, anon, authenticated, service_role;
comment on function events_internal.mark_updated_row() is 'Marks the day of a row that another trigger has changed.';

create trigger mark_updated_row after update of id, event_type, user_id, session_id, properties, created_at, source_id on public.platform_events
  for each row when (pg_trigger_depth() > 0) execute function events_internal.mark_updated_row();

create function events_internal.mark_all() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into events_internal.segment_changes (day) values (null);
  return null;
end $$;
revoke all on function events_internal.mark_all() from public, anon, authenticated, service_role;
comment on function events_internal.mark_all() is 'Marks every day.';

create trigger mark_truncated after truncate on public.platform_events for each statement execute function events_internal.mark_all();
create trigger mark_truncated after truncate on events_internal.session_users for each statement execute function events_internal.mark_all();

-- The three of session_users. Nearly every login ends at the first look.
create function events_internal.mark_claimed() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  sessions constant text[] := array(
    select c.session_id from claimed c
    where pg_catalog.current_setting('transaction_isolation') <> 'read committed'
      or exists (select from events_internal.actors a where a.actor_key = c.session_key));
begin
  if sessions <> '{}' then
    perform events_internal.mark_sessions(sessions);
  end if;
  return null;
end $$;
revoke all on function events_internal.mark_claimed() from public, anon, authenticated, service_role;
comment on function events_internal.mark_claimed() is 'Marks the days of sessions that were guests'' and have become a user''s.';

create trigger mark_claimed after insert on events_internal.session_users
  referencing new table as claimed
  for each statement execute function events_internal.mark_claimed();

create function events_internal.mark_moved() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  sessions constant text[] := array(
    select b.session_id from before b
    where not exists (
      select from after a where a.session_id = b.session_id and a.session_key = b.session_key and a.user_key = b.user_key)
    union
    select a.session_id from after a
    where not exists (
      select from before b where a.session_id = b.session_id and a.session_key = b.session_key and a.user_key = b.user_key));
begin
  if sessions <> '{}' then
    perform events_internal.mark_sessions(sessions);
  end if;
  return null;
end $$;
revoke all on function events_internal.mark_moved() from public, anon, authenticated, service_role;
comment on function events_internal.mark_moved() is 'Marks the days of sessions that are now another user''s.';

create trigger mark_moved after update on events_internal.session_users
  referencing old table as before new table as after
  for each statement execute function events_internal.mark_moved();

create function events_internal.mark_released() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  sessions constant text[] := array(select r.session_id from released r);
begin
  if sessions <> '{}' then
    perform events_internal.mark_sessions(sessions);
  end if;
  return null;
end $$;
revoke all on function events_internal.mark_released() from public, anon, authenticated, service_role;
comment on function events_internal.mark_released() is 'Marks the days of sessions that are nobody''s again.';

create trigger mark_released after delete on events_internal.session_users
  referencing old table as released
  for each statement execute function events_internal.mark_released();

-- The builder's fence: may B be taken, as far as transactions older than p_y are concerned?
create function events_internal.ended_before(p_y xid8) returns boolean
  language sql volatile set search_path = ''
  return pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()) >= p_y;
revoke all on function events_internal.ended_before(xid8) from public, anon, authenticated, service_role;
comment on function events_internal.ended_before(xid8) is
  'Whether every transaction with an id below this one has ended. Take p_y from pg_current_xact_id() of a transaction of its own, which must have ended too.';

-- Those that write rows by themselves, as they were, with their mark.

create or replace function events_internal.complete_direct_insert() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  own_key constant bigint := events_internal.actor_key(new.user_id, new.session_id);
  received constant text := (new.received_at at time zone 'UTC')::date::text;
  event_day constant date := (new.created_at at time zone 'UTC')::date;
  setting constant text := coalesce((select s.name from events_internal.direct_rows_setting s), 'events_internal.direct_rows');
  counted jsonb := coalesce(nullif(pg_catalog.current_setting(setting, true), ''), '{}')::jsonb;
begin
  if new.actor_key is distinct from own_key then
    update public.platform_events e set actor_key = own_key
    where e.created_at = new.created_at and e.id = new.id;
  end if;

  insert into events_internal.event_rollup_hourly as r (hour, event_type, shard, n)
  values (pg_catalog.date_trunc('hour', new.created_at, 'UTC'), new.event_type, events_internal.lock_direct_shard(), 1)
  on conflict (hour, event_type, shard) do update set n = r.n + 1;

  counted := pg_catalog.set_config(setting, -- assigned, which is half of what perform costs
    (counted || pg_catalog.jsonb_build_object(received, coalesce((counted ->> received)::bigint, 0) + 1))::text, true);

  -- ON CONFLICT locks the row even where its WHERE then says no, and consumers lock sessions in key order while a batch of
  -- direct inserts comes in any order: so look first, and lock only what has to change.
  if new.user_id is not null and new.session_id is not null and not exists (
    select from events_internal.session_users s
    where s.session_id = new.session_id and (s.first_created_at, s.first_id) <= (new.created_at, new.id)
  ) then
    insert into events_internal.session_users as s (session_id, session_key, user_id, user_key, first_created_at, first_id)
    values (new.session_id, events_internal.actor_key(null, new.session_id), new.user_id, own_key, new.created_at, new.id)
    on conflict (session_id) do update
      set user_id = excluded.user_id, user_key = excluded.user_key,
          first_created_at = excluded.first_created_at, first_id = excluded.first_id
      where (excluded.first_created_at, excluded.first_id) < (s.first_created_at, s.first_id);
  end if;

  -- mark_late_event, in place: a call costs what all of this costs.
  if pg_catalog.current_setting('transaction_isolation') <> 'read committed'
    or exists (select from events_internal.event_segments s where s.day = event_day)
  then
    insert into events_internal.segment_changes (day, created_at, event_id) values (event_day, new.created_at, new.id);
  end if;
  return null;
end $$;
comment on function events_internal.complete_direct_insert() is
  'Gives a row inserted by SQL what the consumer gives its rows: actor_key, rollup, session map, its mark for segments; and counts it for the ledger.';

create or replace function events_internal.replay_dead_letter(p_id bigint, p_by text, out outcome text, out message text)
  language plpgsql volatile set search_path = '' as $$
declare
  letter events_internal.dead_letters;
  event record;
  stored boolean := false;
  user_key bigint;
begin
  if coalesce(p_by, '') = '' then
    raise exception 'who replays?' using errcode = 'null_value_not_allowed';
  end if;
  -- Whoever replays the same letter at the same time waits here, and then finds it resolved.
  select * into letter from events_internal.dead_letters l where l.dead_letter_id = p_id for update;
  if not found then
    outcome := 'unknown';
    return;
  elsif letter.resolved_at is not null then
    outcome := 'already_resolved';
    message := pg_catalog.format('%s at %s', letter.resolution, letter.resolved_at);
    return;
  elsif letter.source_id is null or letter.received_at is null then
    outcome := 'refused';
    message := 'record without source_id or received_at: nobody knows whose event this is';
    return;
  end if;

  begin
    select * into event from events_internal.logged_event(coalesce(letter.mended, letter.raw));

    -- LIMITS.LATE_WINDOW_MS and CLOCK_TOLERANCE_MS of packages/contracts.
    if letter.received_at - event.created_at > interval '168 hours' or event.created_at - letter.received_at > interval '5 minutes' then
      outcome := 'quarantined';
      message := case when event.created_at < letter.received_at then 'too_old' else 'in_future' end;
      insert into events_internal.quarantined_events (source_id, event_id, event_type, reason, created_at, received_at, raw)
      values (letter.source_id, event.id, event.event_type, message, event.created_at, letter.received_at, coalesce(letter.mended, letter.raw))
      on conflict do nothing;
    elsif exists (
      -- By id, always: it may have come again meanwhile, and mending may have changed its time.
      select from public.platform_events e
      where e.id = event.id and e.created_at between event.created_at - interval '168 hours' and event.created_at + interval '168 hours'
    ) then
      outcome := 'duplicate';
    elsif exists (
      select from events_internal.missing_days((event.created_at at time zone 'UTC')::date, (event.created_at at time zone 'UTC')::date)
    ) then
      outcome := 'refused';
      message := pg_catalog.format('there is no partition for %s: select events_internal.create_day(%L)',
        (event.created_at at time zone 'UTC')::date, (event.created_at at time zone 'UTC')::date);
      return;
    else
      insert into public.platform_events
        (id, event_type, user_id, session_id, properties, created_at, received_at, source_id, actor_key, stream, seq, raw_created_at)
      values (event.id, event.event_type, event.user_id, event.session_id, event.properties, event.created_at, letter.received_at,
        letter.source_id, events_internal.actor_key(event.user_id, event.session_id), event.stream, event.seq, event.raw_created_at)
      on conflict (created_at, id) do nothing;
      stored := found;
      outcome := case when stored then 'replayed' else 'duplicate' end;
    end if;
  exception when data_exception or program_limit_exceeded or not_null_violation or check_violation then
    outcome := 'refused';
    message := sqlstate || ' ' || sqlerrm;
    return;
  end;

  if stored then
    -- As complete_direct_insert does, which looks at rows of no source only.
    user_key := events_internal.actor_key(event.user_id, null);
    if event.user_id is not null and event.session_id is not null then
      insert into events_internal.session_users as s (session_id, session_key, user_id, user_key, first_created_at, first_id)
      values (event.session_id, events_internal.actor_key(null, event.session_id), event.user_id, user_key, event.created_at, event.id)
      on conflict (session_id) do update
        set user_id = excluded.user_id, user_key = excluded.user_key,
            first_created_at = excluded.first_created_at, first_id = excluded.first_id
        where (excluded.first_created_at, excluded.first_id) < (s.first_created_at, s.first_id);
    end if;
    insert into events_internal.event_rollup_hourly as r (hour, event_type, shard, n)
    values (pg_catalog.date_trunc('hour', event.created_at, 'UTC'), event.event_type, events_internal.lock_direct_shard(), 1)
    on conflict (hour, event_type, shard) do update set n = r.n + 1;
    perform events_internal.mark_late_event(event.created_at, event.id);
  end if;
  update events_internal.dead_letters l set resolved_at = now(), resolution = outcome, resolved_by = p_by where l.dead_letter_id = p_id;
end $$;

-- The segment goes in the same transaction as the day.
create or replace function events_internal.drop_old_days(p_days int) returns void
  language plpgsql volatile security definer set search_path = '' set lock_timeout = '200ms' as $$
declare
  cutoff constant timestamptz := now() - pg_catalog.make_interval(days => p_days);
  day record;
begin
  for attempt in 1..5 loop
    begin
      -- A killed DETACH CONCURRENTLY blocks every later one until it is finalised.
      for day in select a.leaf from events_internal.attached_days() a where a.pending loop
        execute pg_catalog.format('alter table public.platform_events detach partition %s finalize', day.leaf);
      end loop;

      -- Partitions that a kill left detached: old ones go, the others come back.
      for day in select u.leaf, u.day from events_internal.unattached_days() u loop
        if (day.day + 1)::timestamp at time zone 'UTC' <= cutoff then
          execute pg_catalog.format('drop table %s', day.leaf);
        else
          perform events_internal.create_day(day.day);
        end if;
      end loop;

      for day in select a.leaf from events_internal.attached_days() a where a.upper_bound <= cutoff order by a.lower_bound loop
        execute pg_catalog.format('alter table public.platform_events detach partition %s', day.leaf);
        execute pg_catalog.format('drop table %s', day.leaf);
      end loop;
      delete from events_internal.event_segments s where (s.day + 1)::timestamp at time zone 'UTC' <= cutoff;
      delete from events_internal.segment_changes c where (c.day + 1)::timestamp at time zone 'UTC' <= cutoff;
      delete from events_internal.closed_days c where (c.day + 1)::timestamp at time zone 'UTC' <= cutoff;
      return;
    exception when lock_not_available then
      perform pg_catalog.pg_sleep(0.1);
    end;
  end loop;
  raise warning 'platform_events: old partitions not dropped, the table was in use for five times 200 ms'
    using hint = 'Nothing is lost; the next run drops them. Look for long transactions on platform_events.';
end $$;

reset role;
