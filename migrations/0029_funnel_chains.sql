-- From rows to chains: which rows a funnel looks at, and the chosen chain of every unit, walked in one process or two.

set local role events_owner;

create function events_internal.funnel_mask_sql(p_definition jsonb) returns text
  language sql immutable parallel safe set search_path = '' as $$
    select 'case e.event_type ' || pg_catalog.string_agg(pg_catalog.format('when %L then %s', m.type, m.mask), ' ' order by m.type) || ' else 0::bigint end'
    from (
      select t as type, pg_catalog.string_agg(
        case u.match -> 'where' when '[]' then bit
          else pg_catalog.format('case when %s then %s else 0 end', events_internal.filter_sql(u.match -> 'where'), bit) end, ' | ') as mask
      from pg_catalog.jsonb_array_elements((p_definition -> 'steps') || (p_definition -> 'exclude')) u (match),
        pg_catalog.format('%s::bigint', 1::bigint << (u.match ->> 'bit')::int) bit,
        pg_catalog.jsonb_array_elements_text(u.match -> 'event_types') t
      group by t
    ) m
  $$;
revoke all on function events_internal.funnel_mask_sql(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_mask_sql(jsonb) is
  'What event e matches, a bigint expression with the bits of funnel_definition(). '
  'Example: select events_internal.funnel_mask_sql(events_internal.funnel_definition(''{"steps": ["SearchStarted", "BookingConfirmed"]}''))';

-- offset 0: or the keys and masks would be computed once for each place that names them.
create function events_internal.funnel_rows_sql(p_definition jsonb, p_condition text default 'true') returns text
  language sql immutable parallel safe set search_path = '' as $$
    select pg_catalog.format(
      'select r.unit, r.t, r.id, r.mask from (select %s as unit, e.created_at as t, e.id, %s as mask from public.platform_events e%s '
      'where e.created_at >= $1 and e.created_at < $2%s and %s offset 0) r where r.unit & ($4 - 1) = $3%s order by r.unit, r.t, r.id',
      events_internal.funnel_unit_sql(p_definition -> 'unit'), events_internal.funnel_mask_sql(p_definition),
      case p_definition -> 'unit' when '"actor"' then ' left join events_internal.session_users s on s.session_key = e.actor_key' else '' end,
      case when p_definition ->> 'mode' = 'strict' then '' else pg_catalog.format(' and e.event_type = any (%L::text[])', array(
        select distinct t from pg_catalog.jsonb_array_elements((p_definition -> 'steps') || (p_definition -> 'exclude')) m, pg_catalog.jsonb_array_elements_text(m -> 'event_types') t order by t)) end,
      p_condition,
      case when p_definition ->> 'mode' = 'strict' then '' else ' and r.mask <> 0' end)
  $$;
revoke all on function events_internal.funnel_rows_sql(jsonb, text) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_rows_sql(jsonb, text) is
  'A query for the rows (unit, t, id, mask) of [$1, $2) and of part $3 of $4 of the units that a funnel looks at, each unit''s in order: in mode strict all, '
  'else those that match a step or an exclusion. p_condition, over event e, takes fewer units. '
  'Example: select events_internal.funnel_rows_sql(events_internal.funnel_definition(''{"steps": ["SearchStarted", "BookingConfirmed"]}''))';

create function events_internal.funnel_places(p_times timestamptz[], p_masks bigint[], p_chain int[], p_bits int[], p_window interval) returns int[]
  language plpgsql immutable parallel safe set search_path = '' as $$
declare
  level constant int := pg_catalog.cardinality(p_chain);
  places int[] := pg_catalog.array_fill(null::int, array[pg_catalog.cardinality(p_bits)]);
  since timestamptz;
  until timestamptz;
begin
  for step in 1 .. pg_catalog.cardinality(p_bits) loop
    if p_bits[step] < 20 then
      exit when p_bits[step] >= level;
      places[step] := p_chain[p_bits[step] + 1];
      since := p_times[places[step]];
      until := case when p_bits[step] + 1 < level then p_times[p_chain[p_bits[step] + 2]] else p_times[p_chain[1]] + p_window end;
      continue;
    end if;
    for i in 1 .. pg_catalog.cardinality(p_times) loop
      if p_times[i] between since and until and (p_masks[i] >> p_bits[step]) & 1 = 1 and i <> all (p_chain)
        and pg_catalog.array_position(places, i) is null then
        places[step] := i;
        since := p_times[i];
        exit;
      end if;
    end loop;
  end loop;
  return places;
end $$;
revoke all on function events_internal.funnel_places(timestamptz[], bigint[], int[], int[], interval) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_places(timestamptz[], bigint[], int[], int[], interval) is
  'The rows of all steps: the chain''s, and for each optional one between them the first row that fits and serves no other. '
  'Example: select events_internal.funnel_places(''{2026-11-01, 2026-11-02, 2026-11-03}'', ''{1,1048576,2}'', ''{1,3}'', ''{0,20,1}'', ''7 days'') -- {1,2,3}';

create function events_internal.numbers_of(p_objects jsonb, p_key text) returns int[]
  language sql immutable parallel safe set search_path = '' as $$
    select array(select (u.object ->> p_key)::int from pg_catalog.jsonb_array_elements(p_objects) with ordinality u (object, n) order by u.n)
  $$;
revoke all on function events_internal.numbers_of(jsonb, text) from public, anon, authenticated, service_role;
comment on function events_internal.numbers_of(jsonb, text) is
  'The numbers under a key of the objects of a list. Example: select events_internal.numbers_of(''[{"bit": 0}, {"bit": 20}]'', ''bit'') -- {0,20}';

-- Without hash aggregation the groups keep the order of the rows that come in. Parallel safe and dear: see funnel_levels_of_part.
create function events_internal.funnel_chains_of_part(p_definition jsonb, p_condition text, p_part int, p_parts int)
  returns table (unit_key bigint, level int, step_times timestamptz[], step_ids uuid[])
  language plpgsql stable parallel safe cost 1000000000 set search_path = '' set work_mem = '256MB' set jit = off set enable_hashagg = off as $$
declare
  mode constant text := p_definition ->> 'mode';
  bits constant int[] := events_internal.numbers_of(p_definition -> 'steps', 'bit');
  required constant int := (select pg_catalog.count(*) from pg_catalog.unnest(bits) b where b < 20);
  conversion_window constant interval := interval '1 microsecond' * (p_definition ->> 'window')::bigint;
  after_steps constant int[] := events_internal.numbers_of(p_definition -> 'exclude', 'after_required');
  before_steps constant int[] := events_internal.numbers_of(p_definition -> 'exclude', 'before_required');
  r record;
  chain int[];
begin
  for r in execute 'select x.unit, array_agg(x.t) as times, array_agg(x.id) as ids, array_agg(x.mask) as masks from ('
      || events_internal.funnel_rows_sql(p_definition, p_condition) || ') x group by x.unit'
      || case mode when 'unordered' then '' else ' having bit_or(x.mask) & 1 = 1' end
    using (p_definition ->> 'from')::timestamptz, (p_definition ->> 'to')::timestamptz, p_part, p_parts
  loop
    chain := case mode
      when 'ordered' then events_internal.funnel_chain_ordered(r.times, r.masks, required, conversion_window, after_steps, before_steps)
      when 'strict' then events_internal.funnel_chain_strict(r.times, r.masks, required, conversion_window)
      when 'strict_order' then events_internal.funnel_chain_strict_order(r.times, r.masks, required, conversion_window)
      else events_internal.funnel_chain_unordered(r.times, r.masks, required, conversion_window) end;
    unit_key := r.unit;
    level := pg_catalog.cardinality(chain);
    if required < pg_catalog.cardinality(bits) then
      chain := events_internal.funnel_places(r.times, r.masks, chain, bits, conversion_window);
    end if;
    step_times := pg_catalog.array_fill(null::timestamptz, array[pg_catalog.cardinality(bits)]);
    step_ids := pg_catalog.array_fill(null::uuid, array[pg_catalog.cardinality(bits)]);
    for k in 1 .. pg_catalog.cardinality(chain) loop
      step_times[k] := r.times[chain[k]];
      step_ids[k] := r.ids[chain[k]];
    end loop;
    return next;
  end loop;
end $$;
revoke all on function events_internal.funnel_chains_of_part(jsonb, text, int, int) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_chains_of_part(jsonb, text, int, int) is 'funnel_chains_of() for part p_part (from 0) of p_parts (a power of two) of the units.';

create function events_internal.funnel_chains_of(p_definition jsonb, p_condition text default 'true')
  returns table (unit_key bigint, level int, step_times timestamptz[], step_ids uuid[])
  language plpgsql stable set search_path = '' as $$
declare
  parts constant int := case p_condition when 'true' then events_internal.funnel_parts(p_definition) else 1 end;
begin
  return query execute (
    select pg_catalog.string_agg('select * from events_internal.funnel_chains_of_part($1, $2, ' || n || ', ' || parts || ')', ' union all ')
    from pg_catalog.generate_series(0, parts - 1) n
  ) using p_definition, p_condition;
end $$;
revoke all on function events_internal.funnel_chains_of(jsonb, text) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_chains_of(jsonb, text) is
  'funnel_chains() of a checked definition, of the units that p_condition (SQL over event e) leaves. '
  'Example: select * from events_internal.funnel_chains_of(events_internal.funnel_definition(''{"steps": ["SearchStarted", "BookingConfirmed"]}''))';

create function events_internal.funnel_chains(p_funnel jsonb) returns table (unit_key bigint, level int, step_times timestamptz[], step_ids uuid[])
  language sql stable set search_path = '' as $$
    select c.unit_key, c.level, c.step_times, c.step_ids from events_internal.funnel_chains_of(events_internal.funnel_definition(p_funnel)) c
  $$;
revoke all on function events_internal.funnel_chains(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_chains(jsonb) is
  'The chosen chain of every unit that came to step 1: level = required steps reached, and for every step when and by which event, null where not reached or not filled. '
  'Every other answer of a funnel is computed from this. Example: select * from events_internal.funnel_chains(''{"steps": ["SearchStarted", "BookingConfirmed"]}'')';

reset role;
