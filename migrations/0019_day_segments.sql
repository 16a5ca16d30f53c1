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
--   * The builder commits a row in event_segments for the day (without a version: meant to be built), then begins a transaction for its id, y,
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

create table events_internal.event_segments (
  day date primary key,
  version uuid,
  format smallint,
  row_count integer,
  actor_count integer,
  all_properties boolean,
  body bytea,
  built_at timestamptz,
  check (
    version is null or (format is not null and row_count is not null and actor_count is not null and all_properties is not null and body is not null and built_at is not null))
);
-- Not compressed: 0 % by pglz, and a slice of an external value is read without the rest.
alter table events_internal.event_segments alter column body set storage external;
comment on table events_internal.event_segments is
  'The events of a UTC day as columns, without their properties: packages/analytics/src/segment-format.ts has the layout. Read it through usable_segments.';
comment on column events_internal.event_segments.version is
  'Null: meant to be built, and watched by the writers from now on. Else random, new with every build, so that caches and clients may tell segments by it for ever: a '
  'number that counts would come again after the database was restored from a backup.';
comment on column events_internal.event_segments.format is 'SEGMENT_FORMAT of packages/analytics/src/segment-format-bytes.ts; retention builds those of another one again.';
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
where s.version is not null
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

reset role;
