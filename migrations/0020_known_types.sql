-- How a question is refused; and the event types that exist: whoever names another is told which ones are spelt nearly so.

set local role events_owner;

create function events_internal.refuse(p_message text, p_hint text) returns void
  language plpgsql stable set search_path = '' as $$
begin
  raise exception '%', p_message using errcode = 'invalid_parameter_value', hint = p_hint;
end $$;
revoke all on function events_internal.refuse(text, text) from public, anon, authenticated, service_role;
comment on function events_internal.refuse(text, text) is 'Raises 22023, invalid_parameter_value, with a hint. '
  'Example: select events_internal.refuse(''the limit is 1 to 1000'', ''Ask again with less.'') -- the limit is 1 to 1000';

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
    perform events_internal.refuse('an event type is null', 'Name event types, or leave the argument out for all.');
  end if;
  select t into unknown
  from pg_catalog.unnest(p_event_types) with ordinality u (t, n)
  where not exists (select from events_internal.event_rollup_hourly r where r.event_type = t)
  order by u.n limit 1;
  if unknown is null then
    return;
  end if;
  near := events_internal.suggest_event_types(unknown);
  perform events_internal.refuse(
    'no event of type ' || unknown || ' has ever come' || case pg_catalog.cardinality(near)
      when 0 then ''
      when 1 then '; did you mean ' || near[1] || '?'
      else '; did you mean ' || pg_catalog.array_to_string(near[: pg_catalog.cardinality(near) - 1], ', ') || ' or ' || near[pg_catalog.cardinality(near)] || '?'
    end,
    'select * from event_properties() lists the types that came lately.');
end $$;
revoke all on function events_internal.require_known_types(text[]) from public, anon, authenticated, service_role;
comment on function events_internal.require_known_types(text[]) is
  'Raises 22023 with the nearest names if one of the types has never come. Null or empty: nothing to check. '
  'Example: select events_internal.require_known_types(array[''SearchStarted''])';

reset role;
