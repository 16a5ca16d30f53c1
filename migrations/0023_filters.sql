-- Property filters as one SQL condition.

set local role events_owner;

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
    perform events_internal.refuse(wrong || ': ' || pg_catalog.left(coalesce(p_filter::text, 'null'), 200),
      'A filter is { "property": key, "op": "=" | "!=" | "in" | "<" | "<=" | ">" | ">=" | "exists" | "contains", "value": … }.');
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
comment on function events_internal.filter_condition(jsonb) is
  'One filter as an SQL condition over alias e; see filter_sql. '
  'Example: select events_internal.filter_condition(''{"property": "price", "op": ">=", "value": 100}'')';

create function events_internal.filter_sql(p_filters jsonb) returns text
  language plpgsql immutable set search_path = '' as $$
begin
  if p_filters is null then
    return 'true';
  end if;
  if pg_catalog.jsonb_typeof(p_filters) <> 'array' then
    perform events_internal.refuse('filters are a list', 'For example [{ "property": "city", "op": "=", "value": "Cali" }].');
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
