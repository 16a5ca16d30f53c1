-- What every analysis needs before it looks at a row: event types that exist, a range of time that can be answered, and property
-- filters as one SQL condition.

set local role events_owner;

-- The updates of n stay HOT (no index holds it); a new hour's rows cost one entry each. For one type over years, and for the
-- list of the types that exist, in a few look-ups.
create index event_rollup_hourly_event_type_hour_idx on events_internal.event_rollup_hourly (event_type, hour);

create function events_internal.known_event_types() returns setof text
  language sql stable set search_path = '' as $$
    with recursive known (event_type) as (
      (select r.event_type from events_internal.event_rollup_hourly r order by r.event_type limit 1)
      union all
      select (select r.event_type from events_internal.event_rollup_hourly r where r.event_type > k.event_type order by r.event_type limit 1)
      from known k where k.event_type is not null
    )
    select k.event_type from known k where k.event_type is not null
  $$;
revoke all on function events_internal.known_event_types() from public, anon, authenticated, service_role;
comment on function events_internal.known_event_types() is
  'Every event type that ever came, also those whose rows are dropped: one index look-up a type. Example: select * from events_internal.known_event_types()';

-- fuzzystrmatch is an extension that not every host has, and stops at 255 bytes.
create function events_internal.edit_distance(a text, b text) returns int
  language plpgsql immutable strict parallel safe set search_path = '' as $$
declare
  letters constant text[] := pg_catalog.string_to_array(b, null);
  above int[] := array(select n from pg_catalog.generate_series(0, coalesce(pg_catalog.cardinality(letters), 0)) n order by n);
  current int[];
  letter text;
begin
  for i in 1 .. pg_catalog.length(a) loop
    letter := pg_catalog.substr(a, i, 1);
    current := array[i];
    for j in 1 .. pg_catalog.cardinality(letters) loop
      current[j + 1] := least(above[j + 1] + 1, current[j] + 1, above[j] + (letters[j] <> letter)::int);
    end loop;
    above := current;
  end loop;
  return above[pg_catalog.cardinality(above)];
end $$;
revoke all on function events_internal.edit_distance(text, text) from public, anon, authenticated, service_role;
comment on function events_internal.edit_distance(text, text) is
  'Levenshtein distance in characters. Example: select events_internal.edit_distance(''kitten'', ''sitting'') -- 3';

create function events_internal.suggest_event_types(p_event_type text) returns text[]
  language sql stable set search_path = '' as $$
    select coalesce(pg_catalog.array_agg(n.event_type order by n.distance, n.event_type collate "C"), '{}')
    from (
      select near.event_type, events_internal.edit_distance(pg_catalog.lower(near.event_type), pg_catalog.lower(p_event_type)) as distance
      from (
        -- Names may be 128 characters long and thousands in number, where a client makes them up.
        select k.event_type from events_internal.known_event_types() k (event_type)
        where pg_catalog.abs(pg_catalog.length(k.event_type) - pg_catalog.length(p_event_type)) <= pg_catalog.length(p_event_type) / 2
        order by pg_catalog.abs(pg_catalog.length(k.event_type) - pg_catalog.length(p_event_type)), k.event_type collate "C" limit 200
      ) near
      order by 2, near.event_type collate "C" limit 3
    ) n
    where n.distance <= greatest(2, pg_catalog.length(p_event_type) / 2)
  $$;
revoke all on function events_internal.suggest_event_types(text) from public, anon, authenticated, service_role;
comment on function events_internal.suggest_event_types(text) is
  'Up to three known event types that are spelt most nearly so (by edit distance, whatever the case), nearest first; those of which more than half '
  'the name would have to change are none. Example: select events_internal.suggest_event_types(''SerchStarted'') -- {SearchStarted}';

create function events_internal.require_known_types(p_event_types text[]) returns void
  language plpgsql stable set search_path = '' as $$
declare
  unknown text;
  near text[];
begin
  if pg_catalog.array_position(p_event_types, null) is not null then
    raise exception 'an event type is null' using errcode = 'invalid_parameter_value', hint = 'Name event types, or leave the argument out for all.';
  end if;
  select t into unknown
  from pg_catalog.unnest(p_event_types) with ordinality u (t, n)
  where not exists (select from events_internal.event_rollup_hourly r where r.event_type = t)
  order by u.n limit 1;
  if unknown is null then
    return;
  end if;
  near := events_internal.suggest_event_types(unknown);
  raise exception '%', 'no event of type ' || unknown || ' has ever come' || case pg_catalog.cardinality(near)
      when 0 then ''
      when 1 then '; did you mean ' || near[1] || '?'
      else '; did you mean ' || pg_catalog.array_to_string(near[: pg_catalog.cardinality(near) - 1], ', ') || ' or ' || near[pg_catalog.cardinality(near)] || '?'
    end
    using errcode = 'invalid_parameter_value', hint = 'select * from event_properties() lists the types that came lately.';
end $$;
revoke all on function events_internal.require_known_types(text[]) from public, anon, authenticated, service_role;
comment on function events_internal.require_known_types(text[]) is
  'Raises 22023 with the nearest names if one of the types has never come. Null or empty: nothing to check. '
  'Example: select events_internal.require_known_types(array[''SearchStarted''])';

create function events_internal.oldest_day() returns date
  language sql stable set search_path = '' as $$
    select pg_catalog.to_date(pg_catalog.right(pg_catalog.min(c.relname::text), 8), 'YYYYMMDD')
    from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'public.platform_events'::regclass and not i.inhdetachpending
  $$;
revoke all on function events_internal.oldest_day() from public, anon, authenticated, service_role;
comment on function events_internal.oldest_day() is
  'The UTC day of the oldest partition: raw events are kept from its start. Null if there is none. Example: select events_internal.oldest_day()';

create function events_internal.require_range(p_from timestamptz, p_to timestamptz) returns void
  language plpgsql stable set search_path = '' as $$
begin
  if p_from is null or p_to is null then
    raise exception 'the range of time has no %', case when p_from is null then 'begin' else 'end' end
      using errcode = 'invalid_parameter_value', hint = 'p_from and p_to are timestamps, p_to exclusive.';
  end if;
  if p_from > p_to then
    raise exception 'the range of time ends before it begins' using errcode = 'invalid_parameter_value', hint = 'p_from must not be after p_to.';
  end if;
end $$;
revoke all on function events_internal.require_range(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.require_range(timestamptz, timestamptz) is 'Raises 22023 unless p_from <= p_to and neither is null.';

create function events_internal.lost_before(p_from timestamptz, p_to timestamptz) returns timestamptz
  language plpgsql stable set search_path = '' as $$
declare
  kept_from constant timestamptz := coalesce(events_internal.oldest_day()::timestamp at time zone 'UTC', 'infinity');
begin
  if p_from < kept_from and exists (
    select from events_internal.event_rollup_hourly r
    where r.hour > p_from - interval '1 hour' and r.hour < least(kept_from, p_to)
    group by r.hour, r.event_type having sum(r.n) <> 0
  ) then
    return kept_from;
  end if;
  return '-infinity';
end $$;
revoke all on function events_internal.lost_before(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.lost_before(timestamptz, timestamptz) is
  'Before when rows of [p_from, p_to) are dropped; -infinity if all that ever came are there. A range may reach behind the oldest partition as long as nothing '
  'came there: on a young installation, the last 30 days are a fair question.';

create function events_internal.require_raw_events(p_from timestamptz, p_to timestamptz) returns void
  language plpgsql stable set search_path = '' as $$
begin
  if events_internal.lost_before(p_from, p_to) > p_from then
    raise exception 'raw events are kept since %; counts without filter reach back further', coalesce(events_internal.oldest_day()::text, 'never')
      using errcode = 'invalid_parameter_value',
        hint = 'Begin the range on that day or later. event_counts() without filter and breakdown by a property answers for whole UTC hours before it.';
  end if;
end $$;
revoke all on function events_internal.require_raw_events(timestamptz, timestamptz) from public, anon, authenticated, service_role;
comment on function events_internal.require_raw_events(timestamptz, timestamptz) is
  'Raises 22023 if rows of [p_from, p_to) are dropped. Example: select events_internal.require_raw_events(now() - interval ''30 days'', now())';

-- Comparing jsonb with jsonb raises on no value, in whatever order the planner evaluates an AND; a cast to numeric would. Strings
-- are compared as text in collation "C" (jsonb's own order of strings is the database's).
create function events_internal.filter_condition(p_filter jsonb) returns text
  language plpgsql immutable set search_path = '' as $$
declare
  property constant text := p_filter ->> 'property';
  op constant text := p_filter ->> 'op';
  value constant jsonb := p_filter -> 'value';
  type constant text := pg_catalog.jsonb_typeof(value);
  found constant text := pg_catalog.format('(e.properties -> %L)', property); -- v of the definition, or null
  found_text constant text := pg_catalog.format('(e.properties ->> %L)', property);
  wrong text;
begin
  if pg_catalog.jsonb_typeof(p_filter) is distinct from 'object' then
    wrong := 'a filter is an object';
  elsif exists (select from pg_catalog.jsonb_object_keys(p_filter) k where k not in ('property', 'op', 'value')) then
    wrong := 'a filter has property, op and value, and nothing else';
  elsif pg_catalog.jsonb_typeof(p_filter -> 'property') is distinct from 'string' then
    wrong := 'the property of a filter is a string';
  elsif pg_catalog.jsonb_typeof(p_filter -> 'op') is distinct from 'string' or op not in ('=', '!=', 'in', '<', '<=', '>', '>=', 'exists', 'contains') then
    wrong := 'no such op in a filter';
  elsif op in ('=', '!=', 'contains') and coalesce(type in ('object', 'array'), true) then
    wrong := op || ' compares with a string, number, boolean or null';
  elsif op in ('<', '<=', '>', '>=') and (type in ('number', 'string')) is not true then
    wrong := op || ' compares with a number or a string';
  elsif op = 'exists' and coalesce(type, 'boolean') <> 'boolean' then
    wrong := 'the value of exists is true or false';
  elsif op = 'in' and (type is distinct from 'array' or pg_catalog.jsonb_array_length(value) not between 1 and 100 or exists (
      select from pg_catalog.jsonb_array_elements(value) v where pg_catalog.jsonb_typeof(v) in ('object', 'array'))) then
    wrong := 'the value of in is a list of 1 to 100 strings, numbers, booleans or nulls';
  end if;
  if wrong is not null then
    raise exception '%: %', wrong, pg_catalog.left(coalesce(p_filter::text, 'null'), 200) using errcode = 'invalid_parameter_value',
      hint = 'A filter is { "property": key, "op": "=" | "!=" | "in" | "<" | "<=" | ">" | ">=" | "exists" | "contains", "value": … }.';
  end if;

  return case
    when op = '=' then pg_catalog.format('(%s = %L::jsonb) is true', found, value)
    when op = '!=' then pg_catalog.format('(%s = %L::jsonb) is not true', found, value)
    when op = 'in' then pg_catalog.format('(%s = any (%L::jsonb[])) is true', found, array(select v from pg_catalog.jsonb_array_elements(value) v))
    when op = 'exists' and value = 'false' then pg_catalog.format('(%s <> ''null'') is not true', found)
    when op = 'exists' then pg_catalog.format('(%s <> ''null'') is true', found)
    when op = 'contains' and type = 'string' then pg_catalog.format(
      '(pg_catalog.jsonb_typeof(%s) = ''string'' and pg_catalog.strpos(%s collate "C", %L) > 0 or pg_catalog.jsonb_typeof(%1$s) = ''array'' and %1$s @> %4$L::jsonb) is true',
      found, found_text, value #>> '{}', pg_catalog.jsonb_build_array(value))
    when op = 'contains' then pg_catalog.format(
      '(pg_catalog.jsonb_typeof(%s) = ''array'' and %1$s @> %2$L::jsonb) is true', found, pg_catalog.jsonb_build_array(value))
    when type = 'string' then pg_catalog.format(
      '(pg_catalog.jsonb_typeof(%s) = ''string'' and %s collate "C" %s %L) is true', found, found_text, op, value #>> '{}')
    else pg_catalog.format('(pg_catalog.jsonb_typeof(%s) = ''number'' and %1$s %2$s %3$L::jsonb) is true', found, op, value)
  end;
end $$;
revoke all on function events_internal.filter_condition(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.filter_condition(jsonb) is 'One filter as an SQL condition over alias e; see filter_sql.';

create function events_internal.filter_sql(p_filters jsonb) returns text
  language plpgsql immutable set search_path = '' as $$
begin
  if p_filters is null then
    return 'true';
  end if;
  if pg_catalog.jsonb_typeof(p_filters) <> 'array' then
    raise exception 'filters are a list' using errcode = 'invalid_parameter_value', hint = 'For example [{ "property": "city", "op": "=", "value": "Cali" }].';
  end if;
  return coalesce((
    select pg_catalog.string_agg(events_internal.filter_condition(f), ' and ' order by n)
    from pg_catalog.jsonb_array_elements(p_filters) with ordinality u (f, n)
  ), 'true');
end $$;
revoke all on function events_internal.filter_sql(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.filter_sql(jsonb) is
  'A list of filters { property, op, value } as one SQL condition over an event under alias e; true or false, never null; every name and value is a literal. '
  'property is a top-level key of properties, taken literally. = and in compare JSON scalars of the same type (5 = 5.0), != is its opposite and true where absent, < … >= '
  'compare numbers with numbers and strings with strings (by code point), exists is present and not null, contains a part of a string or an element of an array. '
  'Example: select events_internal.filter_sql(''[{"property": "price", "op": ">=", "value": 100}]'')';

reset role;
