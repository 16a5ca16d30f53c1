-- The books, and their recount.

set local role events_owner;

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
