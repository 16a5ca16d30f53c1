-- A funnel as it is asked for, one JSON, checked once and with every default filled in. What follows reads the checked form only.

set local role events_owner;

-- A year is 365 days and a month 30, a day 24 h whatever the clocks do: interval's own arithmetic knows another year and a day
-- that daylight saving makes 23 h.
create function events_internal.duration_micros(p_duration text) returns bigint
  language plpgsql immutable strict set search_path = '' as $$
declare
  parts constant text[] := pg_catalog.regexp_match(p_duration,
    '^P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?=.)(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9}(?:\.\d{1,6})?)S)?)?$');
begin
  return (
    (coalesce(parts[1]::numeric, 0) * 365 + coalesce(parts[2]::numeric, 0) * 30 + coalesce(parts[3]::numeric, 0) * 7 + coalesce(parts[4]::numeric, 0)) * 86400
    + coalesce(parts[5]::numeric, 0) * 3600 + coalesce(parts[6]::numeric, 0) * 60 + coalesce(parts[7]::numeric, 0)
  ) * 1000000 + case when parts is null then null else 0 end;
end $$;
revoke all on function events_internal.duration_micros(text) from public, anon, authenticated, service_role;
comment on function events_internal.duration_micros(text) is
  'Microseconds of an ISO 8601 duration, null if it is none. Example: select events_internal.duration_micros(''P7D'') -- 604800000000';

create function events_internal.duration_of(p_interval interval) returns text
  language sql immutable set search_path = '' as $$
    select case when i.seconds < 0 then '-' else '' end || 'PT' || pg_catalog.abs(i.seconds) || 'S'
    from (
      select (extract(year from p_interval) * 365 + extract(month from p_interval) * 30 + extract(day from p_interval)) * 86400
        + extract(hour from p_interval) * 3600 + extract(minute from p_interval) * 60 + extract(second from p_interval) as seconds
    ) i
  $$;
revoke all on function events_internal.duration_of(interval) from public, anon, authenticated, service_role;
comment on function events_internal.duration_of(interval) is
  'An interval as an ISO 8601 duration, a day 24 h. Example: select events_internal.duration_of(''1 day 2 seconds'') -- PT86402.000000S';

create function events_internal.funnel_time(p_value jsonb, p_name text, p_default timestamptz) returns timestamptz
  language plpgsql stable set search_path = '' set datestyle = 'ISO, YMD' as $$
declare
  given constant text := p_value #>> '{}';
begin
  if p_value is null then
    return p_default;
  end if;
  if given ~ '^\d{4,6}-\d\d-\d\d$' then
    return (given || ' 00:00:00+00')::timestamptz;
  end if;
  if given ~ '^\d{4,6}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|[+-]\d\d(:?\d\d){0,2})$' then
    return given::timestamptz;
  end if;
  perform events_internal.refuse(pg_catalog.format('%s is no time: %s', p_name, pg_catalog.left(p_value::text, 100)),
    'An ISO 8601 time with an offset, such as 2026-11-24T09:30:00Z, or a date, which begins in UTC.');
exception when datetime_field_overflow or invalid_datetime_format then
  perform events_internal.refuse(pg_catalog.format('%s is no time: %s', p_name, pg_catalog.left(p_value::text, 100)),
    'There is no such day or hour.');
end $$;
revoke all on function events_internal.funnel_time(jsonb, text, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_time(jsonb, text, timestamptz) is
  'A time of a funnel''s JSON; the default where there is none. '
  'Example: select events_internal.funnel_time(''"2026-11-24"'', ''from'', null)';

create function events_internal.event_match(p_match jsonb, p_what text, p_others text[]) returns jsonb
  language plpgsql immutable set search_path = '' as $$
declare
  form constant text := 'A name, or { "event_type": name } or { "event_types": [name…] }, with "where": [filter…] if need be.';
  types jsonb;
  unknown text;
begin
  if pg_catalog.jsonb_typeof(p_match) = 'string' then
    types := pg_catalog.jsonb_build_array(p_match);
  elsif pg_catalog.jsonb_typeof(p_match) = 'object' then
    select k into unknown from pg_catalog.jsonb_object_keys(p_match) k
    where k <> all (array['event_type', 'event_types', 'where'] || p_others) order by 1 limit 1;
    if unknown is not null then
      perform events_internal.refuse(pg_catalog.format('%s has the unknown field %s', p_what, unknown), form);
    end if;
    if p_match ? 'event_type' and not p_match ? 'event_types' then
      types := pg_catalog.jsonb_build_array(p_match -> 'event_type');
    elsif p_match ? 'event_types' and not p_match ? 'event_type' then
      types := p_match -> 'event_types';
    end if;
  end if;
  if pg_catalog.jsonb_typeof(types) is distinct from 'array' or pg_catalog.jsonb_array_length(types) not between 1 and 100
    or exists (select from pg_catalog.jsonb_array_elements(types) t where pg_catalog.jsonb_typeof(t) <> 'string') then
    perform events_internal.refuse(pg_catalog.format('%s names no event types: %s', p_what, pg_catalog.left(coalesce(p_match::text, 'null'), 200)), form);
  end if;
  if pg_catalog.jsonb_typeof(p_match) = 'object' and p_match ? 'where' then
    if pg_catalog.jsonb_typeof(p_match -> 'where') <> 'array' or pg_catalog.jsonb_array_length(p_match -> 'where') > 20 then
      perform events_internal.refuse(pg_catalog.format('where of %s is no list of at most 20 filters', p_what),
        'For example [{ "property": "city", "op": "=", "value": "Cali" }].');
    end if;
    perform events_internal.filter_sql(p_match -> 'where');
  end if;
  return pg_catalog.jsonb_build_object(
    'event_types', (select pg_catalog.jsonb_agg(distinct t) from pg_catalog.jsonb_array_elements(types) t),
    'where', case when pg_catalog.jsonb_typeof(p_match) = 'object' then coalesce(p_match -> 'where', '[]') else '[]' end,
    'name', (select pg_catalog.string_agg(t, ' or ' order by n) from pg_catalog.jsonb_array_elements_text(types) with ordinality u (t, n)));
end $$;
revoke all on function events_internal.event_match(jsonb, text, text[]) from public, anon, authenticated, service_role;
comment on function events_internal.event_match(jsonb, text, text[]) is
  'Which events a step or an exclusion means, as { event_types, where, name }; p_others are further fields that it may have. '
  'Example: select events_internal.event_match(''"SearchStarted"'', ''step 1'', ''{}'')';

create function events_internal.funnel_definition(p_funnel jsonb) returns jsonb
  language plpgsql stable set search_path = '' as $$
declare
  fields constant text[] := array['steps', 'from', 'to', 'window', 'mode', 'unit', 'exclude'];
  unknown text;
  given_steps constant jsonb := p_funnel -> 'steps';
  given_unit constant jsonb := coalesce(p_funnel -> 'unit', '"actor"');
  given_exclude constant jsonb := coalesce(p_funnel -> 'exclude', '[]');
  mode constant text := coalesce(p_funnel ->> 'mode', 'ordered');
  from_time constant timestamptz := events_internal.funnel_time(p_funnel -> 'from', 'from', pg_catalog.now() - interval '30 days');
  to_time constant timestamptz := events_internal.funnel_time(p_funnel -> 'to', 'to', pg_catalog.now());
  window_us constant bigint := events_internal.duration_micros(coalesce(p_funnel -> 'window', '"P7D"') #>> '{}');
  last_step constant int := case when pg_catalog.jsonb_typeof(given_steps) = 'array' then pg_catalog.jsonb_array_length(given_steps) end;
  steps jsonb := '[]';
  exclude jsonb := '[]';
  given jsonb;
  found jsonb;
  optional boolean;
  after_step int;
  before_step int;
  bits int[] := array[0, 20]; -- the next for a required and for an optional step; exclusions begin at 40
begin
  if pg_catalog.jsonb_typeof(p_funnel) is distinct from 'object' then
    perform events_internal.refuse('a funnel is a JSON object', 'For example { "steps": ["SearchStarted", "BookingConfirmed"], "from": "2026-11-01", "to": "2026-12-01", "window": "P7D" }.');
  end if;
  select k into unknown from pg_catalog.jsonb_object_keys(p_funnel) k where k <> all (fields) order by 1 limit 1;
  if unknown is not null then
    perform events_internal.refuse(pg_catalog.format('a funnel has the unknown field %s', unknown), 'It has ' || pg_catalog.array_to_string(fields, ', ') || '.');
  end if;
  if last_step is null then
    perform events_internal.refuse('the steps of a funnel are a list', 'For example ["SearchStarted", { "event_type": "BookingConfirmed", "where": […] }].');
  elsif last_step < 2 then
    perform events_internal.refuse('a funnel has at least 2 steps', 'For one event type ask event_counts(), with p_unique for the number of actors.');
  elsif last_step > 20 then
    perform events_internal.refuse(pg_catalog.format('a funnel has at most 20 steps, not %s', last_step), 'Take several types for one step, or ask in parts.');
  end if;
  if mode not in ('ordered', 'strict', 'strict_order', 'unordered') then
    perform events_internal.refuse('there is no mode ' || mode, 'The modes are ordered, strict, strict_order and unordered.');
  end if;
  if given_unit not in ('"actor"', '"session"') and (
    pg_catalog.jsonb_typeof(given_unit) <> 'object' or given_unit - 'property' <> '{}' or pg_catalog.jsonb_typeof(given_unit -> 'property') is distinct from 'string'
  ) then
    perform events_internal.refuse('there is no unit ' || pg_catalog.left(given_unit::text, 100), 'The units are "actor", "session" and { "property": key }.');
  end if;
  if window_us is null or window_us <= 0 or window_us > 366 * 86400000000::bigint then
    perform events_internal.refuse('the window of a funnel is longer than nothing and at most 366 days', 'An ISO 8601 duration such as P7D or PT12H, or the interval ''7 days''.');
  end if;
  perform events_internal.require_range(from_time, to_time);

  for n in 1 .. last_step loop
    given := given_steps -> (n - 1);
    found := events_internal.event_match(given, 'step ' || n, array['name', 'optional']);
    if pg_catalog.jsonb_typeof(given) = 'object' and (
      coalesce(pg_catalog.jsonb_typeof(given -> 'name'), 'string') <> 'string' or coalesce(pg_catalog.jsonb_typeof(given -> 'optional'), 'boolean') <> 'boolean'
    ) then
      perform events_internal.refuse(pg_catalog.format('name is a string and optional is true or false, but not in step %s', n), 'Leave them out if need be.');
    end if;
    optional := pg_catalog.jsonb_typeof(given) = 'object' and coalesce(given -> 'optional', 'false') = 'true';
    if optional and mode <> 'ordered' then
      perform events_internal.refuse('optional steps are for mode ordered alone', 'Leave optional out, or take mode ordered.');
    elsif optional and n in (1, last_step) then
      perform events_internal.refuse('the first and the last step cannot be optional', 'Leave the step out, or take it as required.');
    end if;
    if pg_catalog.jsonb_typeof(given) = 'object' then
      found := found || pg_catalog.jsonb_build_object('name', coalesce(given -> 'name', found -> 'name'));
    end if;
    steps := steps || pg_catalog.jsonb_build_array(found || pg_catalog.jsonb_build_object('optional', optional, 'bit', bits[1 + optional::int]));
    bits[1 + optional::int] := bits[1 + optional::int] + 1;
  end loop;

  if pg_catalog.jsonb_typeof(given_exclude) <> 'array' or pg_catalog.jsonb_array_length(given_exclude) > 20 then
    perform events_internal.refuse('exclude is a list of at most 20 exclusions', 'For example [{ "event_type": "Cancellation", "after": 1, "before": 2 }].');
  elsif given_exclude <> '[]' and mode <> 'ordered' then
    perform events_internal.refuse('exclude is for mode ordered alone', 'Leave exclude out, or take mode ordered.');
  end if;
  for n in 1 .. pg_catalog.jsonb_array_length(given_exclude) loop
    given := given_exclude -> (n - 1);
    if pg_catalog.jsonb_typeof(given) is distinct from 'object' then
      perform events_internal.refuse(pg_catalog.format('exclusion %s is no object', n), 'For example { "event_type": "Cancellation", "after": 1, "before": 2 }.');
    end if;
    found := events_internal.event_match(given, 'exclusion ' || n, array['after', 'before']);
    after_step := case when not given ? 'after' then 1 when given ->> 'after' ~ '^\d{1,2}$' then (given ->> 'after')::int end;
    before_step := case when not given ? 'before' then last_step when given ->> 'before' ~ '^\d{1,2}$' then (given ->> 'before')::int end;
    if (after_step between 1 and last_step and before_step between 1 and last_step and after_step < before_step) is not true then
      perform events_internal.refuse(pg_catalog.format('exclusion %s stands between no two steps', n),
        pg_catalog.format('after and before are numbers of steps, 1 to %s, and after is less than before.', last_step));
    elsif (steps -> (after_step - 1) ->> 'optional')::boolean or (steps -> (before_step - 1) ->> 'optional')::boolean then
      perform events_internal.refuse(pg_catalog.format('exclusion %s stands beside an optional step', n), 'after and before name steps that are required.');
    end if;
    exclude := exclude || pg_catalog.jsonb_build_array(found - 'name' || pg_catalog.jsonb_build_object(
      'after', after_step, 'before', before_step, 'bit', 40 + n - 1,
      'after_required', (steps -> (after_step - 1) ->> 'bit')::int + 1, 'before_required', (steps -> (before_step - 1) ->> 'bit')::int + 1));
  end loop;

  perform events_internal.require_known_types(array(
    select t from pg_catalog.jsonb_array_elements(steps || exclude) with ordinality u (m, n), pg_catalog.jsonb_array_elements_text(u.m -> 'event_types') t order by u.n, t));
  perform events_internal.require_raw_events(from_time, to_time);

  return pg_catalog.jsonb_build_object('steps', steps, 'from', from_time, 'to', to_time, 'window', window_us, 'mode', mode,
    'unit', given_unit, 'exclude', exclude);
end $$;
revoke all on function events_internal.funnel_definition(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_definition(jsonb) is
  'A funnel { steps, from, to, window, mode, unit, exclude } checked and complete: steps and exclusions as { event_types, where, … }, window in microseconds, '
  'from and to as times; bit is its place in the mask of a row (funnel_rows_sql). Raises 22023 with a hint for whatever is wrong. '
  'Example: select events_internal.funnel_definition(''{"steps": ["SearchStarted", "BookingConfirmed"], "window": "P1D"}'')';

reset role;
