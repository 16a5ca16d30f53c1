-- Gaps in what the trackers numbered. A tracker counts its events from 0 (`seq`) within its `stream`, so of a stream whose highest number
-- is n, n + 1 events must be somewhere: in the table, dead, quarantined, or rejected. What is nowhere is missing; it may still come.

set local role events_owner;

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

reset role;
