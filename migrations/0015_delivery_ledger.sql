-- The delivery ledger: for every source and every UTC day of receipt, what came in and what became of it.
--
--   received = accepted + rejected          accepted = stored + duplicate + dead_lettered + quarantined + in_flight
--
-- A collector numbers the events that it accepts, by source and day, in the order in which they become durable, and each record
-- carries the number that it reaches, and the one up to which all were durable before. So the count of the accepted lies in the log
-- with the events and dies with no collector: whoever loads a record raises `accepted` in the same transaction that counts what became of
-- its events, and what has become of something was accepted, so in_flight cannot become negative. Collectors tell Postgres the numbers they acknowledged, too, once a second: so what has not been loaded yet shows.

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

-- What was there before the ledger: accepted, and become of it what the tables say. Rows whose source the triggers counted or the consumer stored.
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

-- Gaps in what the trackers numbered. A tracker counts its events from 0 (`seq`) within its `stream`, so of a stream whose highest number
-- is n, n + 1 events must be somewhere: in the table, dead, quarantined, or rejected. What is nowhere is missing; it may still come.
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

create table events_internal.stream_days (
  day date,
  source_id smallint,
  stream uuid,
  first_seq integer not null,
  last_seq integer not null,
  events integer not null,
  primary key (day, source_id, stream)
);
create index stream_days_stream_idx on events_internal.stream_days (source_id, stream, day);
comment on table events_internal.stream_days is
  'Of each stream and day: the lowest and the highest number, and how many numbers there are. Made by count_streams; kept while the stream may go on.';

-- Looked through for a day at a time, which is often none of many.
create index dead_letters_received_at_idx on events_internal.dead_letters (received_at);
create index quarantined_events_received_at_idx on events_internal.quarantined_events (received_at);

create table events_internal.missing_counts (
  day date,
  source_id smallint,
  streams bigint not null,
  missing bigint not null,
  primary key (day, source_id)
);
comment on table events_internal.missing_counts is
  'Numbers that never came, of the streams last heard of on that day. As of stream_counts.counted_at; final when the late window is over.';

create table events_internal.stream_counts (
  day date primary key,
  looked_at bigint not null,
  counted_at timestamptz not null default now()
);
comment on table events_internal.stream_counts is 'When the streams of a day were counted, and over how many events: counted again when there are more.';

-- Events of a UTC day that may carry a number; cheap, to see whether there are new ones.
create function events_internal.numbered_events(p_day date) returns bigint
  language sql stable set search_path = '' as $$
    select coalesce((select sum(r.n) from events_internal.event_rollup_hourly r
                     where r.hour >= p_day::timestamp at time zone 'UTC' and r.hour < (p_day + 1)::timestamp at time zone 'UTC'), 0)::bigint
      + (select count(*) from events_internal.rejected_numbers r where r.day = p_day)
      + (select count(*) from events_internal.quarantined_events q
         where q.received_at >= p_day::timestamp at time zone 'UTC' and q.received_at < (p_day + 1)::timestamp at time zone 'UTC')
      + (select count(*) from events_internal.dead_letters d
         where d.received_at >= p_day::timestamp at time zone 'UTC' and d.received_at < (p_day + 1)::timestamp at time zone 'UTC'
           and coalesce(d.resolution, 'given_up') = 'given_up')
  $$;
revoke all on function events_internal.numbered_events(date) from public, anon, authenticated, service_role;

-- The number of a line that was set aside; no row where it has none, or is no event.
create function events_internal.number_of_line(p_line bytea, out stream uuid, out seq integer) returns setof record
  language plpgsql immutable set search_path = '' as $$
declare
  -- Not jsonb: it refuses lines for what they hold elsewhere, a number that is too large or a NUL, and these are the lines here.
  line json;
  number numeric;
begin
  line := pg_catalog.convert_from(p_line, 'UTF8')::json;
  stream := line ->> 'stream';
  number := line ->> 'seq';
  if stream is not null and number >= 0 and number % 1 = 0 then
    seq := number;
    return next;
  end if;
exception when data_exception or program_limit_exceeded then
  return;
end $$;
revoke all on function events_internal.number_of_line(bytea) from public, anon, authenticated, service_role;

create function events_internal.count_streams(p_day date) returns void
  language plpgsql volatile set search_path = '' as $$
declare
  from_time constant timestamptz := p_day::timestamp at time zone 'UTC';
  to_time constant timestamptz := (p_day + 1)::timestamp at time zone 'UTC';
begin
  insert into events_internal.stream_counts (day, looked_at) values (p_day, events_internal.numbered_events(p_day))
  on conflict (day) do update set looked_at = excluded.looked_at, counted_at = now();
  with counted as materialized (
    select n.source_id::smallint as source_id, n.stream, min(n.seq) as first_seq, max(n.seq) as last_seq, count(distinct n.seq)::int as events
    from (
      select e.source_id, e.stream, e.seq from public.platform_events e
      where e.created_at >= from_time and e.created_at < to_time and e.stream is not null and e.seq is not null
      union all
      select coalesce(q.source_id, 0), l.stream, l.seq from events_internal.quarantined_events q, events_internal.number_of_line(q.raw) l
      where q.received_at >= from_time and q.received_at < to_time
      union all
      select coalesce(d.source_id, 0), l.stream, l.seq
      from events_internal.dead_letters d, events_internal.number_of_line(coalesce(d.mended, d.raw)) l
      where d.received_at >= from_time and d.received_at < to_time and coalesce(d.resolution, 'given_up') = 'given_up'
      union all
      select r.source_id, r.stream, r.seq from events_internal.rejected_numbers r where r.day = p_day
    ) n
    group by n.source_id, n.stream
  ), gone as (
    delete from events_internal.stream_days s
    where s.day = p_day and not exists (select from counted c where c.source_id = s.source_id and c.stream = s.stream)
  )
  -- Only what changed: most streams of a day are over.
  insert into events_internal.stream_days as s (day, source_id, stream, first_seq, last_seq, events)
  select p_day, c.source_id, c.stream, c.first_seq, c.last_seq, c.events
  from counted c
  left join events_internal.stream_days known on known.day = p_day and known.source_id = c.source_id and known.stream = c.stream
  where (known.first_seq, known.last_seq, known.events) is distinct from (c.first_seq, c.last_seq, c.events)
  on conflict (day, source_id, stream) do update
    set first_seq = excluded.first_seq, last_seq = excluded.last_seq, events = excluded.events;
end $$;
revoke all on function events_internal.count_streams(date) from public, anon, authenticated, service_role;
comment on function events_internal.count_streams(date) is 'Counts the numbers of each stream in the events of a UTC day. One scan of that day.';

create function events_internal.count_missing(p_today date default (now() at time zone 'UTC')::date, p_days int default 8) returns bigint
  language plpgsql volatile set search_path = '' as $$
declare
  oldest constant date := p_today - p_days;
  begins_ms constant bigint := extract(epoch from oldest::timestamp) * 1000;
  day date;
  total bigint;
begin
  -- One at a time: two would delete and insert the same rows.
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('events_internal.count_missing'));
  for day in
    select d.day::date from pg_catalog.generate_series(oldest::timestamp, (p_today + 1)::timestamp, interval '1 day') d (day)
    where events_internal.numbered_events(d.day::date)
      <> coalesce((select c.looked_at from events_internal.stream_counts c where c.day = d.day::date), 0)
  loop
    perform events_internal.count_streams(day);
  end loop;

  delete from events_internal.missing_counts m where m.day >= oldest;
  insert into events_internal.missing_counts (day, source_id, streams, missing)
  select whole.last_day, whole.source_id, count(*), sum(greatest(whole.last_seq + 1 - whole.from_seq - whole.events, 0))
  from (
    select s.source_id, max(s.day) as last_day, max(s.last_seq)::bigint as last_seq, sum(s.events) as events,
      -- A tab that slept for longer than the late window goes on with its numbers: those before are forgotten, not missing. When a
      -- stream began is in its UUIDv7; another UUID tells nothing.
      case when pg_catalog.substr(s.stream::text, 15, 1) = '7' and
             ('x' || pg_catalog.substr(pg_catalog.replace(s.stream::text, '-', ''), 1, 12))::bit(48)::bigint < begins_ms
        then min(s.first_seq) else 0 end as from_seq
    from events_internal.stream_days s group by s.source_id, s.stream
  ) whole
  where whole.last_day >= oldest
  group by 1, 2;

  -- Over for good: nothing that late is stored. A stream that went on keeps all its days.
  delete from events_internal.stream_days s where s.day < oldest and not exists (
    select from events_internal.stream_days later
    where later.source_id = s.source_id and later.stream = s.stream and later.day >= oldest
  );
  delete from events_internal.rejected_numbers r where r.day < oldest;
  delete from events_internal.stream_counts c where c.day < oldest;
  select coalesce(sum(m.missing), 0) into total from events_internal.missing_counts m where m.day >= oldest;
  return total;
end $$;
revoke all on function events_internal.count_missing(date, int) from public, anon, authenticated, service_role;
comment on function events_internal.count_missing(date, int) is
  'Brings the ledger''s missing up to date, for the late window; scans only days with new events. Called by retention, and whenever somebody wants '
  'to know now: select events_internal.count_missing(). Returns what is missing in all.';

create view events_internal.delivery_ledger as
select l.day, l.source_id, coalesce(s.name, case when l.source_id = 0 then '(sql)' end) as source,
  (l.accepted + l.rejected)::bigint as received,
  l.rejected::bigint as rejected,
  coalesce((
    select pg_catalog.jsonb_object_agg(r.code, r.n)
    from (select c.code, sum(c.n) as n from events_internal.rejected_counts c where c.day = l.day and c.source_id = l.source_id group by c.code) r
  ), '{}') as rejected_by_code,
  l.accepted::bigint as accepted,
  l.stored::bigint as stored,
  l.duplicate::bigint as duplicate,
  l.dead::bigint as dead_lettered,
  l.quarantined::bigint as quarantined,
  (l.accepted - l.stored - l.duplicate - l.dead - l.quarantined)::bigint as in_flight,
  coalesce((select m.missing from events_internal.missing_counts m where m.day = l.day and m.source_id = l.source_id), 0) as missing,
  l.resent::bigint as resent,
  l.deleted::bigint as deleted
from (
  select b.day, b.source_id, sum(b.accepted + b.repeated) as accepted, sum(b.rejected) as rejected, sum(b.stored) as stored,
    sum(b.duplicate + b.repeated) as duplicate, sum(b.dead) as dead, sum(b.quarantined) as quarantined, sum(b.resent) as resent,
    sum(b.deleted) as deleted
  from (
    select c.day, c.source_id,
      case when c.collector_id = '00000000-0000-0000-0000-000000000000' then sum(c.accepted)
        else greatest(max(c.accepted), sum(c.stored + c.duplicate + c.dead + c.quarantined)) end as accepted,
      sum(c.repeated) as repeated, 0 as rejected, sum(c.stored) as stored, sum(c.duplicate) as duplicate, sum(c.dead) as dead,
      sum(c.quarantined) as quarantined, sum(c.resent) as resent, sum(c.deleted) as deleted
    from events_internal.delivery_counts c
    group by c.day, c.source_id, c.collector_id
    union all
    select r.day, r.source_id, 0, 0, r.n, 0, 0, 0, 0, 0, 0 from events_internal.rejected_counts r
    union all
    -- A stream's last day is one of created_at, on which nothing need have been received.
    select m.day, m.source_id, 0, 0, 0, 0, 0, 0, 0, 0, 0 from events_internal.missing_counts m where m.missing > 0
  ) b
  group by b.day, b.source_id
) l
left join events_internal.event_sources s using (source_id);
comment on view events_internal.delivery_ledger is
  'By UTC day of receipt and source: received = accepted + rejected; accepted = stored + duplicate + dead_lettered + quarantined + in_flight, at every '
  'moment. missing: numbers that trackers gave and nobody has seen, of the streams last heard of on that day (count_missing brings it up to date). '
  'resent: records that were in the log twice, outside the sums. source_id 0: rows inserted by SQL. '
  'Example: select * from events_internal.delivery_ledger where day >= current_date - 7 order by day, source.';


create function events_internal.verify_ledger(p_from date, p_to date)
  returns table (day date, source_id smallint, account text, counted bigint, found bigint)
  language sql stable set search_path = '' as $$
    with whole as (
      -- Rows are as old as the late window when they come. Retention drops nothing that is younger than 8 days.
      select coalesce(max(missing.day) + 8, p_from) as from_day
      from events_internal.missing_days(p_from - 7, (now() at time zone 'UTC')::date - 9) missing (day)
    ), late_window as (
      -- And what a clock may be ahead.
      select (p_from - 8)::timestamp at time zone 'UTC' as from_time, (p_to + 2)::timestamp at time zone 'UTC' as to_time
    ), counted as (
      select l.day, l.source_id, a.account, a.n
      from events_internal.delivery_ledger l,
        lateral (values ('stored', l.stored - l.deleted), ('dead_lettered', l.dead_lettered), ('quarantined', l.quarantined)) a (account, n)
      where l.day between p_from and p_to
    ), found as (
      select e.day, e.source_id, 'stored' as account, count(*) as n
      from (
        select (e.received_at at time zone 'UTC')::date as day, e.source_id
        from public.platform_events e
        where e.created_at >= (select w.from_time from late_window w) and e.created_at < (select w.to_time from late_window w)
        union all
        -- Only SQL inserts rows of any other time, and the rollup knows when.
        select (e.received_at at time zone 'UTC')::date, e.source_id
        from (
          select distinct r.hour from events_internal.event_rollup_hourly r, late_window w
          where r.shard < 0 and (r.hour < w.from_time or r.hour >= w.to_time)
        ) h
        join public.platform_events e on e.created_at >= h.hour and e.created_at < h.hour + interval '1 hour'
      ) e
      group by 1, 2
      union all
      select (coalesce(d.received_at, d.dead_at) at time zone 'UTC')::date, coalesce(d.source_id, 0::smallint), 'dead_lettered', count(*)
      from events_internal.dead_letters d where coalesce(d.resolution, 'given_up') = 'given_up' group by 1, 2
      union all
      select (coalesce(q.received_at, q.quarantined_at) at time zone 'UTC')::date, coalesce(q.source_id, 0::smallint), 'quarantined', count(*)
      from events_internal.quarantined_events q group by 1, 2
    )
    select b.day, b.source_id, b.account, b.counted, b.found
    from (
      select coalesce(c.day, f.day) as day, coalesce(c.source_id, f.source_id) as source_id, coalesce(c.account, f.account) as account,
        coalesce(c.n, 0) as counted, coalesce(f.n, 0) as found
      from counted c full join found f on f.day = c.day and f.source_id = c.source_id and f.account = c.account
    ) b, whole w
    where b.day between p_from and p_to and (b.account <> 'stored' or b.day >= w.from_day)
    order by 1, 2, 3
  $$;
revoke all on function events_internal.verify_ledger(date, date) from public, anon, authenticated, service_role;
comment on function events_internal.verify_ledger(date, date) is
  'The ledger beside a recount of the rows it speaks of, UTC days of receipt, both inclusive. Where counted and found differ the books do not balance. '
  'Days whose raw rows retention has begun to drop are left out. Scans the raw rows: select * from events_internal.verify_ledger(current_date - 1, current_date).';

reset role;
