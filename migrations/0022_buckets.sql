-- Buckets of time on the clocks of a zone.

set local role events_owner;

create function events_internal.require_time_zone(p_time_zone text) returns void
  language plpgsql stable set search_path = '' as $$
begin
  if p_time_zone !~ '^[^/]*[-+0-9]' then -- '+05' and 'UTC+5' are POSIX: five hours *behind* UTC
    perform now() at time zone p_time_zone; -- 22023 as well
    return;
  end if;
  raise invalid_parameter_value;
exception when invalid_parameter_value then
  perform events_internal.refuse('no such time zone: ' || coalesce(p_time_zone, 'null'), 'Zones have names such as America/Bogota, or UTC.');
end $$;
revoke all on function events_internal.require_time_zone(text) from public, anon, authenticated, service_role;
comment on function events_internal.require_time_zone(text) is
  'Raises 22023 unless it is the name of a time zone. '
  'Example: select events_internal.require_time_zone(''America/Bogota'')';

-- An hour is a run of instants with the same hour on the clock and the same offset from UTC: one that the clocks show twice is two.
-- 15 minutes divide every offset that zones have had since 1972; look at the quarters only in the hours beside a change, for
-- `at time zone` over all quarters of 90 days would cost more than the counts.
create function events_internal.hour_starts(p_from timestamptz, p_to timestamptz, p_time_zone text) returns setof timestamptz
  language sql stable set search_path = '' as $$
    with hours as materialized (
      select h, extract(epoch from (h at time zone p_time_zone) - (h at time zone 'UTC'))::int as ahead -- seconds
      from pg_catalog.generate_series(
        pg_catalog.date_trunc('hour', p_from, 'UTC') - interval '2 hours', p_to + interval '1 hour', interval '1 hour') h
    ), beside as (
      select h, ahead, pg_catalog.lag(ahead) over (order by h) as before, pg_catalog.lead(ahead) over (order by h) as after from hours
    )
    select h + pg_catalog.mod(3600 + pg_catalog.mod(-ahead, 3600), 3600) * interval '1 second'
    from beside
    where before = ahead and ahead = after
    union all
    select q
    from beside
    cross join lateral pg_catalog.generate_series(h, h + interval '45 minutes', interval '15 minutes') q
    cross join lateral (select q at time zone p_time_zone as local, (q - interval '15 minutes') at time zone p_time_zone as earlier) clock
    where (before <> ahead or ahead <> after)
      and (pg_catalog.date_trunc('hour', clock.local) <> pg_catalog.date_trunc('hour', clock.earlier)
        or clock.local - clock.earlier <> interval '15 minutes')
  $$;
revoke all on function events_internal.hour_starts(timestamptz, timestamptz, text) from public, anon, authenticated, service_role;
comment on function events_internal.hour_starts(timestamptz, timestamptz, text) is
  'The starts of the hours of a zone from before p_from until after p_to; see bucket_starts. '
  'Example: select * from events_internal.hour_starts(now() - interval ''3 hours'', now(), ''Asia/Kolkata'')';

create function events_internal.bucket_starts(p_bucket text, p_from timestamptz, p_to timestamptz, p_time_zone text) returns timestamptz[]
  language plpgsql stable set search_path = '' as $$
declare
  most constant int := 10000;
  length constant interval := case p_bucket
    when 'minute' then interval '1 minute' when 'hour' then interval '1 hour' when 'day' then interval '1 day'
    when 'week' then interval '7 days' when 'month' then interval '1 month' end;
  starts timestamptz[];
begin
  perform events_internal.require_time_zone(p_time_zone);
  if length is null then
    perform events_internal.refuse('no such bucket: ' || coalesce(p_bucket, 'null'), 'A bucket is a minute, hour, day, week or month.');
  end if;
  if p_from >= p_to then
    return '{}';
  end if;
  if p_from + most * length < p_to or not pg_catalog.isfinite(p_from) or not pg_catalog.isfinite(p_to) then
    perform events_internal.refuse(pg_catalog.format('the range of time has more than %s %ss', most, p_bucket), 'Ask for longer buckets, or a shorter range.');
  end if;

  if p_bucket = 'minute' then
    starts := array(select pg_catalog.generate_series(pg_catalog.date_trunc('minute', p_from, 'UTC'), p_to, interval '1 minute'));
  elsif p_bucket = 'hour' then
    starts := array(select h from events_internal.hour_starts(p_from, p_to, p_time_zone) h order by h);
  else
    -- A midnight that the clocks skip is the moment they skip it; of one that they show twice, `at time zone` gives the second.
    starts := array(
      select distinct case
          when (midnight - interval '1 hour') at time zone p_time_zone >= local then midnight - interval '1 hour'
          when (midnight - interval '30 minutes') at time zone p_time_zone >= local then midnight - interval '30 minutes'
          else midnight
        end
      from pg_catalog.generate_series(
        pg_catalog.date_trunc(p_bucket, p_from at time zone p_time_zone) - length, p_to at time zone p_time_zone + length, length) local
      cross join lateral (select local at time zone p_time_zone as midnight) m
      order by 1);
  end if;
  return array(
    select s from pg_catalog.unnest(starts) s
    where s < p_to and s >= (select pg_catalog.max(b) from pg_catalog.unnest(starts) b where b <= p_from)
    order by s);
end $$;
revoke all on function events_internal.bucket_starts(text, timestamptz, timestamptz, text) from public, anon, authenticated, service_role;
comment on function events_internal.bucket_starts(text, timestamptz, timestamptz, text) is
  'The starts of the minutes, hours, days, weeks (from Monday) or months on the clocks of a zone that overlap [p_from, p_to), ascending; the first may '
  'lie before p_from. pg_catalog.width_bucket(created_at, these) is the bucket''s number. A day has 23 or 25 hours where clocks change; an hour that the '
  'clocks show twice is two. 22023 beyond 10,000 buckets. Example: select events_internal.bucket_starts(''day'', now() - interval ''7 days'', now(), ''America/Bogota'')';

-- The number is known where the whole part lies in one bucket, as a UTC day does in a series of them; else every row is searched.
create function events_internal.bucket_number_sql(p_first timestamptz, p_before timestamptz, p_starts timestamptz[]) returns text
  language sql stable set search_path = '' as $$
    select case when n.first = n.last then n.first::text else 'pg_catalog.width_bucket(e.created_at, ' || pg_catalog.quote_literal(p_starts::text) || '::timestamptz[])' end
    from (select pg_catalog.width_bucket(p_first, p_starts) as first, pg_catalog.width_bucket(p_before - interval '1 microsecond', p_starts) as last) n
  $$;
revoke all on function events_internal.bucket_number_sql(timestamptz, timestamptz, timestamptz[]) from public, anon, authenticated, service_role;
comment on function events_internal.bucket_number_sql(timestamptz, timestamptz, timestamptz[]) is
  'SQL for the number, in an array of starts, of the bucket of an event (alias e) with created_at in [p_first, p_before). '
  'Example: select events_internal.bucket_number_sql(''2026-11-02'', ''2026-11-03'', ''{2026-11-01, 2026-11-02}'') -- 2';

reset role;
