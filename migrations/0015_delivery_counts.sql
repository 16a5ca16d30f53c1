-- What the delivery ledger (0018) adds up: for every source and every UTC day of receipt, what came in and what became of it.
--
--   received = accepted + rejected          accepted = stored + duplicate + dead_lettered + quarantined + in_flight
--
-- A collector numbers the events that it accepts, by source and day, in the order in which they become durable, and each record
-- carries the number that it reaches, and the one up to which all were durable before. So the count of the accepted lies in the log
-- with the events and dies with no collector: whoever loads a record raises `accepted` in the same transaction that counts what became of
-- its events, and what has become of something was accepted, so in_flight cannot become negative. Collectors tell Postgres the
-- numbers they acknowledged, too, once a second: so what has not been loaded yet shows.

set local role events_owner;

create table events_internal.delivery_counts (
  day date,
  source_id smallint,
  collector_id uuid,
  topic_partition integer,
  accepted bigint not null default 0,
  reached bigint not null default 0,
  repeated bigint not null default 0,
  stored bigint not null default 0,
  duplicate bigint not null default 0,
  dead bigint not null default 0,
  quarantined bigint not null default 0,
  resent bigint not null default 0,
  deleted bigint not null default 0,
  primary key (day, source_id, collector_id, topic_partition)
) with (fillfactor = 50);
comment on table events_internal.delivery_counts is
  'What the ledger adds up. A row has one writer at a time: the consumer that holds the topic partition; for topic_partition -1 the collector itself; for '
  'collector_id 0 and negative topic partitions whoever holds that shard (lock_direct_shard). collector_id 0: events that no collector numbered.';
comment on column events_internal.delivery_counts.day is 'UTC day of received_at.';
comment on column events_internal.delivery_counts.accepted is
  'Up to which number events are known to be durable, so the greatest over the topic partitions counts; of collector_id 0 a plain count, whose sum does.';
comment on column events_internal.delivery_counts.reached is 'The highest number loaded from the topic partition: one that is no higher is there a second time.';
comment on column events_internal.delivery_counts.repeated is 'The same id twice in one request: accepted, a duplicate, and never in the log.';
comment on column events_internal.delivery_counts.resent is
  'Duplicates from a record that is in the log twice (an answer of Kafka was lost): accepted once, so outside the sums.';
comment on column events_internal.delivery_counts.deleted is 'Stored, and deleted by a statement since. Days that retention drops are not in it.';

create table events_internal.rejected_counts (
  day date,
  source_id smallint,
  collector_id uuid,
  code text,
  n bigint not null,
  primary key (day, source_id, collector_id, code)
);
comment on table events_internal.rejected_counts is 'Events that got a verdict other than accepted, by its code, as each collector counted them.';

create table events_internal.spools (
  spool_id text primary key,
  host text not null,
  events bigint not null,
  bytes bigint not null,
  reported_at timestamptz not null default now()
);
comment on table events_internal.spools is 'What waits for Kafka on the disks of collectors, as each told last: part of what is in flight.';

-- Rows of the table that come by no consumer, and letters that are replayed.
create function events_internal.count_delivery(
  p_day date, p_source smallint, p_accepted bigint, p_stored bigint,
  p_duplicate bigint default 0, p_dead bigint default 0, p_quarantined bigint default 0, p_deleted bigint default 0
) returns void
  language plpgsql volatile set search_path = '' as $$ -- and not sql, which would be planned for every row that a browser inserts
begin
  insert into events_internal.delivery_counts as c
    (day, source_id, collector_id, topic_partition, accepted, stored, duplicate, dead, quarantined, deleted)
  values (p_day, p_source, '00000000-0000-0000-0000-000000000000', events_internal.lock_direct_shard(),
    p_accepted, p_stored, p_duplicate, p_dead, p_quarantined, p_deleted)
  on conflict (day, source_id, collector_id, topic_partition) do update
    set accepted = c.accepted + excluded.accepted, stored = c.stored + excluded.stored, duplicate = c.duplicate + excluded.duplicate,
        dead = c.dead + excluded.dead, quarantined = c.quarantined + excluded.quarantined, deleted = c.deleted + excluded.deleted;
end $$;
revoke all on function events_internal.count_delivery(date, smallint, bigint, bigint, bigint, bigint, bigint, bigint)
  from public, anon, authenticated, service_role;
comment on function events_internal.count_delivery(date, smallint, bigint, bigint, bigint, bigint, bigint, bigint) is
  'Adds to the ledger what no collector numbered; differences may be negative.';

-- A statement that inserts n rows writes the ledger once, not n times: one row updated n times in a transaction is quadratic. The rows
-- are counted in a setting of the transaction meanwhile. Its name is a secret, because anybody may set what he can name, even in the
-- middle of a statement: insert … select set_config(…). SHOW ALL and pg_settings do not tell it.
create table events_internal.direct_rows_setting (
  only_row boolean primary key default true check (only_row),
  name text not null default 'events_internal.direct_rows_' || pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', '')
);
insert into events_internal.direct_rows_setting default values;
comment on table events_internal.direct_rows_setting is
  'Name of the setting in which complete_direct_insert counts the rows of a statement by UTC day of receipt, for count_direct_rows.';

create function events_internal.count_direct_rows() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  setting constant text := coalesce((select s.name from events_internal.direct_rows_setting s), 'events_internal.direct_rows');
  counted record;
begin
  if pg_catalog.current_setting(setting, true) <> '' then
    for counted in
      select d.key::date as day, d.value::bigint as n
      from pg_catalog.jsonb_each_text(pg_catalog.current_setting(setting)::jsonb) d
      order by 1
    loop
      perform events_internal.count_delivery(counted.day, 0::smallint, counted.n, counted.n);
    end loop;
    perform pg_catalog.set_config(setting, '', true);
  end if;
  return null;
end $$;
revoke all on function events_internal.count_direct_rows() from public, anon, authenticated, service_role;
comment on function events_internal.count_direct_rows() is 'Puts the rows that a statement inserted by SQL into the ledger.';

create or replace function events_internal.complete_direct_insert() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  own_key constant bigint := events_internal.actor_key(new.user_id, new.session_id);
  received constant text := (new.received_at at time zone 'UTC')::date::text;
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
  return null;
end $$;
comment on function events_internal.complete_direct_insert() is
  'Gives a row inserted by SQL what the consumer gives its rows: actor_key, rollup, session map; and counts it for the ledger.';

-- No transition table: for that alone COPY would give up its multi-row inserts. So what is inserted into a partition directly goes round it.
create trigger count_direct_rows after insert on public.platform_events
  for each statement execute function events_internal.count_direct_rows();

create function events_internal.count_deleted() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
begin
  perform events_internal.count_delivery(d.day, d.source_id, 0, 0, p_deleted => d.n)
  from (
    select (gone.received_at at time zone 'UTC')::date as day, gone.source_id, count(*) as n
    from deleted gone group by 1, 2 order by 1, 2
  ) d;
  -- Or a gap in the numbers would show where they were.
  insert into events_internal.rejected_numbers (stream, seq, source_id, day)
  select gone.stream, gone.seq, gone.source_id, (gone.created_at at time zone 'UTC')::date
  from deleted gone
  where gone.stream is not null and gone.seq is not null and gone.created_at >= now() - interval '9 days'
  order by 1, 2
  on conflict do nothing;
  return null;
end $$;
revoke all on function events_internal.count_deleted() from public, anon, authenticated, service_role;
comment on function events_internal.count_deleted() is 'Tells the ledger of rows that somebody deleted: they stay delivered, and their numbers are not missing.';

create trigger count_deleted after delete on public.platform_events
  referencing old table as deleted
  for each statement execute function events_internal.count_deleted();

-- TRUNCATE has no transition table, and counts before, therefore. Without it the books would differ for good, and the rollup too.
create function events_internal.count_truncated() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  own_shard constant smallint := events_internal.lock_direct_shard();
begin
  insert into events_internal.event_rollup_hourly as r (hour, event_type, shard, n)
  select pg_catalog.date_trunc('hour', e.created_at, 'UTC'), e.event_type, own_shard, -count(*)
  from public.platform_events e group by 1, 2
  on conflict (hour, event_type, shard) do update set n = r.n + excluded.n;
  perform events_internal.count_delivery(d.day, d.source_id, 0, 0, p_deleted => d.n)
  from (
    select (e.received_at at time zone 'UTC')::date as day, e.source_id, count(*) as n
    from public.platform_events e group by 1, 2 order by 1, 2
  ) d;
  return null;
end $$;
revoke all on function events_internal.count_truncated() from public, anon, authenticated, service_role;
comment on function events_internal.count_truncated() is 'Takes all rows out of the rollup and tells the ledger that they are deleted.';

create trigger count_truncated before truncate on public.platform_events
  for each statement execute function events_internal.count_truncated();

create function events_internal.count_resolution() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  -- In quarantine since before this transaction: a duplicate there, as the consumer counts it.
  was_there constant boolean := new.resolution = 'quarantined' and not exists (
    select from events_internal.logged_event(coalesce(new.mended, new.raw)) e
    join events_internal.quarantined_events q on q.event_id = e.id and q.created_at = e.created_at
    where q.quarantined_at = now()
  );
begin
  perform events_internal.count_delivery((coalesce(new.received_at, new.dead_at) at time zone 'UTC')::date, coalesce(new.source_id, 0::smallint), 0,
    p_stored => (new.resolution = 'replayed')::int, p_duplicate => (new.resolution = 'duplicate' or was_there)::int,
    p_dead => -1, p_quarantined => (new.resolution = 'quarantined' and not was_there)::int);
  return null;
end $$;
revoke all on function events_internal.count_resolution() from public, anon, authenticated, service_role;
comment on function events_internal.count_resolution() is 'Moves a dead letter in the ledger to what its replay made of it; given up, it stays dead.';

create trigger count_resolution after update of resolution on events_internal.dead_letters
  for each row when (old.resolution is null and new.resolution in ('replayed', 'duplicate', 'quarantined'))
  execute function events_internal.count_resolution();

-- What was there before the ledger: accepted, and become of it what the tables say.
insert into events_internal.delivery_counts (day, source_id, collector_id, topic_partition, accepted, stored, dead, quarantined)
select day, source_id, '00000000-0000-0000-0000-000000000000', -1, sum(stored + dead + quarantined), sum(stored), sum(dead), sum(quarantined)
from (
  select (e.received_at at time zone 'UTC')::date, e.source_id, count(*), 0, 0 from public.platform_events e group by 1, 2
  union all
  select (coalesce(d.received_at, d.dead_at) at time zone 'UTC')::date, coalesce(d.source_id, 0), 0, count(*), 0
  from events_internal.dead_letters d where coalesce(d.resolution, 'given_up') = 'given_up' group by 1, 2
  union all
  select (coalesce(q.received_at, q.quarantined_at) at time zone 'UTC')::date, coalesce(q.source_id, 0), 0, 0, count(*)
  from events_internal.quarantined_events q group by 1, 2
) before (day, source_id, stored, dead, quarantined)
group by 1, 2;

create table events_internal.rejected_numbers (
  stream uuid,
  seq integer,
  source_id smallint not null,
  day date not null,
  primary key (stream, seq)
);
create index rejected_numbers_day_idx on events_internal.rejected_numbers (day);
comment on table events_internal.rejected_numbers is
  'Numbers of events that were rejected, or stored and deleted since, so that they are not taken for missing. For the late window.';

reset role;
