-- Why somebody came no further in a funnel, in a sentence.

set local role events_owner;

create function events_internal.time_text(p_time timestamptz) returns text
  language sql immutable set search_path = '' as $$
    select pg_catalog.to_char(p_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || pg_catalog.rtrim(pg_catalog.to_char(p_time at time zone 'UTC', '.US'), '.0') || 'Z'
  $$;
revoke all on function events_internal.time_text(timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.time_text(timestamptz) is
  'A time in UTC, ISO 8601, with as many decimals as it has. '
  'Example: select events_internal.time_text(''2026-11-04 12:00+00'') -- 2026-11-04T12:00:00Z';

create function events_internal.duration_text(p_from timestamptz, p_to timestamptz) returns text
  language sql immutable set search_path = '' as $$
    select case when d.seconds < 86400 then '' when d.seconds < 172800 then '1 day ' else pg_catalog.trunc(d.seconds / 86400) || ' days ' end
      || pg_catalog.trunc(d.seconds % 86400 / 3600) || pg_catalog.to_char(pg_catalog.trunc(d.seconds % 3600 / 60), 'FM":"00')
      || pg_catalog.to_char(pg_catalog.trunc(d.seconds % 60), 'FM":"00') || pg_catalog.rtrim(pg_catalog.substr(pg_catalog.to_char(d.seconds % 1, 'FM0.000000'), 2), '.0')
    from (select extract(epoch from p_to) - extract(epoch from p_from) as seconds) d
  $$;
revoke all on function events_internal.duration_text(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.duration_text(timestamptz, timestamptz) is
  'How long from one time until another: 2:00:00, 1 day 0:00:01.5; a day is 24 h. '
  'Example: select events_internal.duration_text(''2026-11-01 00:00+00'', ''2026-11-03 04:00+00'') -- 2 days 4:00:00';

create function events_internal.funnel_interruption(p_mode text, p_masks bigint[], p_last int, p_level int) returns int
  language plpgsql immutable set search_path = '' as $$
declare
  next_bit constant bigint := 1::bigint << p_level;
  interruption int;
begin
  for i in p_last + 1 .. pg_catalog.cardinality(p_masks) loop
    if p_masks[i] & next_bit <> 0 then
      return interruption;
    elsif interruption is null and (p_mode = 'strict' or p_masks[i] & (next_bit >> 1) = 0) then
      interruption := i;
    end if;
  end loop;
  return null;
end $$;
revoke all on function events_internal.funnel_interruption(text, bigint[], int, int) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_interruption(text, bigint[], int, int) is
  'In the strict modes the row that came between the last of a chain and the next step''s, null if none did or the next step never came. '
  'Example: select events_internal.funnel_interruption(''strict'', ''{1,0,2}'', 1, 1) -- 2';

create function events_internal.funnel_chain_from(p_definition jsonb, p_times timestamptz[], p_masks bigint[], p_start int) returns int[]
  language plpgsql stable set search_path = '' as $$
declare
  mode constant text := p_definition ->> 'mode';
  conversion_window constant interval := interval '1 microsecond' * (p_definition ->> 'window')::bigint;
  required constant int := pg_catalog.cardinality(events_internal.required_steps(p_definition));
  times timestamptz[];
  masks bigint[];
  before_them int;
begin
  select array_agg(t order by n), array_agg(case when n = p_start then m else m & ~1::bigint end order by n), min(n) - 1 into times, masks, before_them
  from unnest(p_times, p_masks) with ordinality u (t, m, n) where t between p_times[p_start] and p_times[p_start] + conversion_window;
  return array(
    select i + before_them
    from pg_catalog.unnest(case mode
      when 'strict' then events_internal.funnel_chain_strict(times, masks, required, conversion_window)
      when 'strict_order' then events_internal.funnel_chain_strict_order(times, masks, required, conversion_window)
      else events_internal.funnel_chain_ordered(times, masks, required, conversion_window,
        events_internal.numbers_of(p_definition -> 'exclude', 'after_required'), events_internal.numbers_of(p_definition -> 'exclude', 'before_required'))
      end) with ordinality u (i, n)
    order by n);
end $$;
revoke all on function events_internal.funnel_chain_from(jsonb, timestamptz[], bigint[], int) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_chain_from(jsonb, timestamptz[], bigint[], int) is
  'The chain that would be chosen if row p_start were the only one to start at, in any mode but unordered.';

-- The chosen chain is the one that ends first, and may have missed by days what a later start missed by a minute: whoever started
-- again is told the least. Only so many starts are tried: there are those who start 10,000 times.
create function events_internal.funnel_least_miss(p_definition jsonb, p_times timestamptz[], p_masks bigint[], p_chain int[], p_missed int[])
  returns table (start_row int, closed_at timestamptz, missed_at timestamptz)
  language plpgsql stable set search_path = '' as $$
declare
  mode constant text := p_definition ->> 'mode';
  level constant int := pg_catalog.cardinality(p_chain);
  tried int := 0;
  chain int[];
begin
  for start_row, closed_at, missed_at in
    select c.start, c.at, c.next_at
    from (
      select u.start, u.at, pg_catalog.min(u.at) filter (where u.start is null) over (order by u.at desc, u.start is null rows unbounded preceding) as next_at
      from (
        select i as start, p_times[i] + interval '1 microsecond' * (p_definition ->> 'window')::bigint as at
        from pg_catalog.generate_subscripts(p_masks, 1) i where i = p_chain[1] or mode <> 'unordered' and p_masks[i] & 1 = 1
        union all
        select null, p_times[r] from pg_catalog.unnest(p_missed) r
      ) u
    ) c
    where c.start is not null and c.next_at is not null
    order by c.next_at - c.at, c.start = p_chain[1] desc, c.start desc
  loop
    tried := tried + 1;
    continue when tried > 100 and start_row <> p_chain[1];
    chain := case start_row when p_chain[1] then p_chain else events_internal.funnel_chain_from(p_definition, p_times, p_masks, start_row) end;
    if pg_catalog.cardinality(chain) = level
      and (mode not in ('strict', 'strict_order') or events_internal.funnel_interruption(mode, p_masks, chain[level], level) is null) then
      return next;
      return;
    end if;
  end loop;
end $$;
revoke all on function events_internal.funnel_least_miss(jsonb, timestamptz[], bigint[], int[], int[]) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_least_miss(jsonb, timestamptz[], bigint[], int[], int[]) is
  'Of the rows p_missed of the next step the one that came least after the window of a chain as long as p_chain had closed, in the '
  'strict modes of one that nothing interrupted, in mode unordered of p_chain alone; no row if none came so late.';

create function events_internal.funnel_exclusion(p_definition jsonb, p_times timestamptz[], p_masks bigint[], p_chain int[], p_missed int[])
  returns table (start_row int, excluded jsonb, excluded_at timestamptz)
  language plpgsql stable set search_path = '' as $$
declare
  conversion_window constant interval := interval '1 microsecond' * (p_definition ->> 'window')::bigint;
  level constant int := pg_catalog.cardinality(p_chain);
  chain int[];
begin
  for start_row in
    select i from pg_catalog.generate_subscripts(p_masks, 1) i where p_masks[i] & 1 = 1 order by i = p_chain[1] desc, i desc limit 100
  loop
    chain := case start_row when p_chain[1] then p_chain else events_internal.funnel_chain_from(p_definition, p_times, p_masks, start_row) end;
    continue when pg_catalog.cardinality(chain) < level;
    return query
      select start_row, x.match, p_times[i]
      from pg_catalog.jsonb_array_elements(p_definition -> 'exclude') x (match), pg_catalog.generate_subscripts(p_masks, 1) i
      where (p_masks[i] >> (x.match ->> 'bit')::int) & 1 = 1 and (x.match ->> 'after_required')::int <= level and (x.match ->> 'before_required')::int > level
        and p_times[i] > p_times[chain[(x.match ->> 'after_required')::int]]
        and p_times[i] < (
          select pg_catalog.min(p_times[r]) from pg_catalog.unnest(p_missed) r where p_times[r] between p_times[chain[level]] and p_times[start_row] + conversion_window)
      order by i limit 1;
    exit when found;
  end loop;
end $$;
revoke all on function events_internal.funnel_exclusion(jsonb, timestamptz[], bigint[], int[], int[]) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_exclusion(jsonb, timestamptz[], bigint[], int[], int[]) is
  'Which exclusion, and when, keeps the rows p_missed of the next step, which came in time, out of p_chain or of one as long; no row if none does.';

-- Looked for in the order in which one would ask: did it come in time, then what forbade it; did it come later, earlier, as another
-- step, outside the range; or never.
create function events_internal.funnel_verdict(p_definition jsonb, p_condition text, p_times timestamptz[], p_masks bigint[], p_types text[], p_chain int[]) returns text
  language plpgsql stable set search_path = '' as $$
declare
  mode constant text := p_definition ->> 'mode';
  steps constant int := pg_catalog.jsonb_array_length(p_definition -> 'steps');
  required constant int[] := events_internal.required_steps(p_definition);
  level constant int := pg_catalog.cardinality(p_chain);
  first_at constant timestamptz := p_times[p_chain[1]];
  last_at constant timestamptz := p_times[p_chain[level]];
  missed int; -- its number among the required steps
  missed_name text;
  reached text;
  rows_of_it int[];
  hit int;
  outside_at timestamptz;
  said record;
begin
  if level = pg_catalog.cardinality(required) then
    return pg_catalog.format('reached all %s steps', steps);
  end if;
  missed := level + 1;
  if mode = 'unordered' then
    select n into missed from pg_catalog.generate_series(1, steps) n
    where not exists (select from pg_catalog.unnest(p_chain) c where (p_masks[c] >> (n - 1)) & 1 = 1) order by n limit 1;
    missed := coalesce(missed, level + 1);
    reached := pg_catalog.format('did %s of %s steps within the window; ', level, steps);
  elsif level > 0 then
    reached := pg_catalog.format('reached step %s of %s; ', required[level], steps);
  end if;
  missed_name := p_definition -> 'steps' -> (required[missed] - 1) ->> 'name';
  reached := coalesce(reached, 'did not enter; ') || missed_name || ' ';
  rows_of_it := array(
    select i from pg_catalog.generate_series(1, pg_catalog.cardinality(p_masks)) i where (p_masks[i] >> (missed - 1)) & 1 = 1 and i <> all (p_chain) order by i);

  select x.start_row, pg_catalog.format('does not count: %s came at %s, between steps %s and %s, where it is excluded',
      (select pg_catalog.string_agg(t, ' or ' order by n) from pg_catalog.jsonb_array_elements_text(x.excluded -> 'event_types') with ordinality u (t, n)),
      events_internal.time_text(x.excluded_at), x.excluded ->> 'after', x.excluded ->> 'before') as reason
    into said from events_internal.funnel_exclusion(p_definition, p_times, p_masks, p_chain, rows_of_it) x where p_definition -> 'exclude' <> '[]';
  if not found then
    select m.start_row, pg_catalog.format('came %s after the window closed', events_internal.duration_text(m.closed_at, m.missed_at)) as reason
      into said from events_internal.funnel_least_miss(p_definition, p_times, p_masks, p_chain, rows_of_it) m;
  end if;
  if found then
    return reached || said.reason
      || case when p_times[said.start_row] = first_at then '' else pg_catalog.format(' (from the start at %s)', events_internal.time_text(p_times[said.start_row])) end;
  end if;

  if mode in ('strict', 'strict_order') and level > 0 then
    hit := events_internal.funnel_interruption(mode, p_masks, p_chain[level], level);
    if hit is not null then
      return reached || pg_catalog.format('was interrupted: %s came between, at %s', p_types[hit], events_internal.time_text(p_times[hit]));
    end if;
  end if;
  select r into hit from pg_catalog.unnest(rows_of_it) r where r < p_chain[level] order by r desc limit 1;
  if hit is not null then
    return reached || pg_catalog.format('came before %s, %s earlier',
      case mode when 'unordered' then 'the window began' else pg_catalog.format('step %s (%s)', required[level], p_definition -> 'steps' -> (required[level] - 1) ->> 'name') end,
      events_internal.duration_text(p_times[hit], case mode when 'unordered' then first_at else last_at end));
  end if;
  select k into hit from pg_catalog.generate_series(1, level) k where (p_masks[p_chain[k]] >> (missed - 1)) & 1 = 1 order by k limit 1;
  if hit is not null then
    return reached || pg_catalog.format('came once only, and is step %s', required[hit]);
  end if;
  execute 'select coalesce(min(e.created_at) filter (where e.created_at >= $2), max(e.created_at)) from public.platform_events e where (e.created_at < $1 or e.created_at >= $2) and '
    || p_condition || ' and ' || events_internal.event_match_sql(p_definition -> 'steps' -> (required[missed] - 1))
    into outside_at using (p_definition ->> 'from')::timestamptz, (p_definition ->> 'to')::timestamptz;
  if outside_at is not null then
    return reached || pg_catalog.format('came only outside the range, at %s', events_internal.time_text(outside_at));
  end if;
  return reached || 'never came';
end $$;
revoke all on function events_internal.funnel_verdict(jsonb, text, timestamptz[], bigint[], text[], int[]) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_verdict(jsonb, text, timestamptz[], bigint[], text[], int[]) is
  'How far the unit of p_condition came and why not further, of its rows and its chosen chain (positions of the required steps'' rows).';

reset role;
