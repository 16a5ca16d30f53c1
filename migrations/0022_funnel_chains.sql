-- The rows of a funnel, and what each unit reached.

set local role events_owner;

-- The hashes of actor_key() written out: a function with a pinned search_path is not inlined and costs 2 µs a row.
create function events_internal.funnel_unit_sql(p_unit jsonb) returns text
  language sql immutable parallel safe set search_path = '' as $$
    select case
      when p_unit = '"actor"' then 'coalesce(s.user_key, e.actor_key)'
      else pg_catalog.format(
        '(''x'' || pg_catalog.encode(pg_catalog.substring(pg_catalog.sha256(pg_catalog.convert_to(%s, ''UTF8'')), 1, 8), ''hex''))::bit(64)::bigint',
        case when p_unit = '"session"' then '''s:'' || e.session_id' else pg_catalog.format('''p:'' || (e.properties ->> %L)', p_unit ->> 'property') end)
    end
  $$;
revoke all on function events_internal.funnel_unit_sql(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_unit_sql(jsonb) is
  'The key of who walks a funnel, an SQL expression over event e and, for actors, its session''s user s; null for who does not. A property is keyed as actor_key() does, by ''p:'' + its text.';

create function events_internal.event_match_sql(p_match jsonb) returns text
  language sql immutable parallel safe set search_path = '' as $$
    select case pg_catalog.jsonb_array_length(p_match -> 'event_types')
        when 1 then pg_catalog.format('e.event_type = %L', p_match -> 'event_types' ->> 0)
        else pg_catalog.format('e.event_type = any (%L::text[])', array(select pg_catalog.jsonb_array_elements_text(p_match -> 'event_types')))
      end || case p_match -> 'where' when '[]' then '' else ' and ' || events_internal.filter_sql(p_match -> 'where') end
  $$;
revoke all on function events_internal.event_match_sql(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.event_match_sql(jsonb) is 'Whether event e is one of { event_types, where }, an SQL condition.';

-- Where no event fits two steps, who reached which step needs no chain, only the rule of the latest start: walking a unit's
-- events in order of time, it suffices to keep for every step until when a chain that has come to it may still go on. A later
-- start leaves more of the window and is never worse. (Starting from the first event loses 18 % of the conversions on our data,
-- comparing min(created_at) per step 34 %; count(distinct) per step invents 53 %.) Those of one instant come in step order, which
-- is exact.
create function events_internal.funnel_steps_sql(p_definition jsonb) returns text
  language sql stable set search_path = '' as $$
    select 'select ' || case p_definition -> 'unit'
        when '"actor"' then case when exists (select from events_internal.session_users)
          then 'coalesce(s.user_key, e.unit), e.t, e.step from (' || b.branches || ') e left join events_internal.session_users s on s.session_key = e.unit'
            || ' where coalesce(s.user_key, e.unit)'
          else 'e.unit, e.t, e.step from (' || b.branches || ') e where e.unit' end
        else 'e.unit, e.t, e.step from (' || b.branches || ') e where e.unit'
      end || ' & ($4 - 1) = $3 order by 1, 2, 3'
    from (
      select pg_catalog.string_agg(pg_catalog.format(
          'select %s as unit, e.created_at as t, %s as step from public.platform_events e where %s and e.created_at >= $1 and e.created_at < $2',
          case p_definition -> 'unit' when '"actor"' then 'e.actor_key' else events_internal.funnel_unit_sql(p_definition -> 'unit') end,
          n, events_internal.event_match_sql(step)), ' union all ' order by n) as branches
      from pg_catalog.jsonb_array_elements(p_definition -> 'steps') with ordinality u (step, n)
    ) b
  $$;
revoke all on function events_internal.funnel_steps_sql(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_steps_sql(jsonb) is
  'A query for (unit, t, step) in this order, of the events in [$1, $2) and part $3 of $4 (a power of two) of the units: an index-only scan for each step without filter.';

-- Parallel safe and dear: a query that unites two parts runs them in two processes, for a sort and a loop over a cursor are never
-- parallel by themselves. Deadlines and not starts: no arithmetic but at step 1. The interval is of hours: a day may have 23.
create function events_internal.funnel_levels_of_part(
  p_sql text, p_steps int, p_from timestamptz, p_to timestamptz, p_window bigint, p_part int, p_parts int
) returns bigint[]
  language plpgsql stable parallel safe cost 1000000000 set search_path = '' set work_mem = '256MB' set jit = off as $$
declare
  conversion_window constant interval := interval '1 microsecond' * p_window;
  ended bigint[] := pg_catalog.array_fill(0::bigint, array[p_steps + 1], array[0]); -- units by the level they ended at
  deadlines timestamptz[] := pg_catalog.array_fill(null::timestamptz, array[p_steps]);
  unit bigint;
  level int := 0;
  row_unit bigint;
  row_t timestamptz;
  row_step int;
begin
  for row_unit, row_t, row_step in execute p_sql using p_from, p_to, p_part, p_parts loop
    if row_unit is distinct from unit then
      ended[level] := ended[level] + 1;
      unit := row_unit;
      level := 0;
    end if;
    if row_step = 1 then
      deadlines[1] := row_t + conversion_window;
      if level = 0 then
        level := 1;
      end if;
    elsif row_step <= level + 1 and row_t <= deadlines[row_step - 1] then
      deadlines[row_step] := deadlines[row_step - 1];
      if row_step > level then
        level := row_step;
      end if;
    end if;
  end loop;
  ended[level] := ended[level] + 1;
  return ended[1:];
end $$;
revoke all on function events_internal.funnel_levels_of_part(text, int, timestamptz, timestamptz, bigint, int, int) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_levels_of_part(text, int, timestamptz, timestamptz, bigint, int, int) is
  'How many units ended at each step, by the query of funnel_steps_sql. Window in microseconds.';

-- Starting a process takes some ms, and each reads all rows: worth it from about this many.
create function events_internal.funnel_parts(p_definition jsonb) returns int
  language sql stable set search_path = '' as $$
    select case when sum(r.n) >= 100000 then 2 else 1 end
    from events_internal.event_rollup_hourly r
    where r.hour >= pg_catalog.date_trunc('hour', (p_definition ->> 'from')::timestamptz, 'UTC') and r.hour < (p_definition ->> 'to')::timestamptz
      and (p_definition ->> 'mode' = 'strict' or r.event_type in (
        select t from pg_catalog.jsonb_array_elements(p_definition -> 'steps') s, pg_catalog.jsonb_array_elements_text(s -> 'event_types') t))
  $$;
revoke all on function events_internal.funnel_parts(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_parts(jsonb) is 'In how many processes to walk, 1 or 2.';

create function events_internal.funnel_levels(p_definition jsonb) returns bigint[]
  language plpgsql stable set search_path = '' as $$
declare
  parts constant int := events_internal.funnel_parts(p_definition);
  ended bigint[];
begin
  -- By execute: select … into would ask for two rows at most, which forbids a parallel plan.
  execute 'select array_agg(l.n order by l.level) from (
      select u.level, sum(u.n)::bigint as n
      from (' || (
        select pg_catalog.string_agg('select ended from events_internal.funnel_levels_of_part($1, $2, $3, $4, $5, ' || n || ', $6) ended', ' union all ')
        from pg_catalog.generate_series(0, parts - 1) n
      ) || ') p cross join lateral unnest(p.ended) with ordinality u (n, level)
      group by u.level
    ) l'
    into ended
    using events_internal.funnel_steps_sql(p_definition), pg_catalog.jsonb_array_length(p_definition -> 'steps'),
      (p_definition ->> 'from')::timestamptz, (p_definition ->> 'to')::timestamptz, (p_definition ->> 'window')::bigint, parts;
  return ended;
end $$;
revoke all on function events_internal.funnel_levels(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_levels(jsonb) is
  'How many units of an ordered funnel ended at each step, where no event fits two steps, none is optional and nothing is excluded.';

-- From here on: the chosen chain of a unit. Its rows come as arrays, in order of (created_at, id), each with a mask of what it
-- matches: required steps from bit 0, optional ones from bit 20, exclusions from bit 40. A chain is an array of positions in these.

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
comment on function events_internal.funnel_mask_sql(jsonb) is 'What event e matches, a bigint expression with the bits of funnel_definition().';

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
  'else those that match a step or an exclusion. p_condition, over event e, takes fewer units.';

create function events_internal.funnel_prefers(p_times timestamptz[], p_chain int[], p_other int[]) returns boolean
  language plpgsql immutable parallel safe set search_path = '' as $$
begin
  if p_times[p_chain[1]] <> p_times[p_other[1]] then
    return p_times[p_chain[1]] > p_times[p_other[1]];
  end if;
  for k in 1 .. pg_catalog.cardinality(p_chain) loop
    if p_times[p_chain[k]] <> p_times[p_other[k]] then
      return p_times[p_chain[k]] < p_times[p_other[k]];
    end if;
  end loop;
  return p_chain < p_other;
end $$;
revoke all on function events_internal.funnel_prefers(timestamptz[], int[], int[]) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_prefers(timestamptz[], int[], int[]) is
  'Whether the first of two chains of one level and one end is chosen: the later start, then the least times, then the least positions.';

create function events_internal.funnel_chain_of(p_rows int[], p_before int[], p_node int) returns int[]
  language plpgsql immutable parallel safe set search_path = '' as $$
declare
  node int := p_node;
  chain int[] := '{}';
begin
  while node > 0 loop
    chain := p_rows[node] || chain;
    node := p_before[node];
  end loop;
  return chain;
end $$;
revoke all on function events_internal.funnel_chain_of(int[], int[], int) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_chain_of(int[], int[], int) is 'The chain that ends at a node: node n is row p_rows[n] after node p_before[n], 0 for a start.';

-- Augmenting paths, breadth first (Kuhn's way of the maximum bipartite matching).
create function events_internal.funnel_matching(p_masks bigint[], p_wanted bigint) returns int
  language plpgsql immutable parallel safe set search_path = '' as $$
declare
  step_of int[] := pg_catalog.array_fill(0, array[pg_catalog.cardinality(p_masks)]);
  row_of int[] := pg_catalog.array_fill(0, array[20]);
  reached_from int[];
  queue int[];
  head int;
  open_steps bigint;
  step int;
  next_step int;
  matched int := 0;
begin
  for root in 1 .. pg_catalog.cardinality(p_masks) loop
    queue := array[root];
    head := 1;
    open_steps := p_wanted;
    reached_from := '{}';
    <<search>>
    while head <= pg_catalog.cardinality(queue) loop
      for k in 1 .. 20 loop
        continue when p_masks[queue[head]] & open_steps & (1::bigint << (k - 1)) = 0;
        open_steps := open_steps & ~(1::bigint << (k - 1));
        reached_from[k] := queue[head];
        if row_of[k] > 0 then
          queue := queue || row_of[k];
          continue;
        end if;
        step := k;
        while step > 0 loop
          next_step := step_of[reached_from[step]];
          row_of[step] := reached_from[step];
          step_of[reached_from[step]] := step;
          step := next_step;
        end loop;
        matched := matched + 1;
        exit search;
      end loop;
      head := head + 1;
    end loop;
  end loop;
  return matched;
end $$;
revoke all on function events_internal.funnel_matching(bigint[], bigint) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_matching(bigint[], bigint) is 'How many of the rows with these masks can serve a step each, another one each, of the steps p_wanted (bits).';

create function events_internal.funnel_instant(p_masks bigint[], p_first int, p_last int) returns int[]
  language plpgsql immutable parallel safe set search_path = '' as $$
declare
  wanted constant bigint := ((1::bigint << (p_last - p_first + 1)) - 1) << (p_first - 1);
  chosen int[] := '{}';
  left_over bigint[] := p_masks;
  chosen_row int;
begin
  -- The first row that fits, for each step: as long as that works out it is the least choice.
  for k in p_first .. p_last loop
    chosen_row := null;
    for i in 1 .. pg_catalog.cardinality(p_masks) loop
      if left_over[i] & (1::bigint << (k - 1)) <> 0 then
        chosen_row := i;
        exit;
      end if;
    end loop;
    exit when chosen_row is null;
    chosen := chosen || chosen_row;
    left_over[chosen_row] := 0;
  end loop;
  if pg_catalog.cardinality(chosen) = p_last - p_first + 1 then
    return chosen;
  end if;

  -- Of rows that match the same, no more than there are steps can matter, and the first ones do.
  left_over := array(
    select case when pg_catalog.row_number() over (partition by m & wanted order by n) <= p_last - p_first + 1 then m & wanted else 0 end
    from pg_catalog.unnest(p_masks) with ordinality u (m, n) order by n);
  if events_internal.funnel_matching(left_over, wanted) < p_last - p_first + 1 then
    return null;
  end if;
  chosen := '{}';
  for k in p_first .. p_last loop
    for i in 1 .. pg_catalog.cardinality(p_masks) loop
      continue when left_over[i] & (1::bigint << (k - 1)) = 0;
      if events_internal.funnel_matching(left_over[: i - 1] || left_over[i + 1 :], wanted >> k << k) = p_last - k then
        chosen := chosen || i;
        left_over[i] := 0;
        exit;
      end if;
    end loop;
  end loop;
  return chosen;
end $$;
revoke all on function events_internal.funnel_instant(bigint[], int, int) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_instant(bigint[], int, int) is
  'For steps p_first … p_last a row each of those with these masks, another one each, the least such vector; null if there is none.';

-- For every step: which chain stands there, the one with the latest start, which is never worse; on an equal start the least. An
-- excluded event ends those that stand between its two steps, and all that stand at a step share that fate, so the rule stays right.
-- All rows of one instant are taken together, because they count in whichever order serves.
create function events_internal.funnel_chain_ordered(
  p_times timestamptz[], p_masks bigint[], p_steps int, p_window interval, p_after int[], p_before int[]
) returns int[]
  language plpgsql immutable parallel safe set search_path = '' as $$
declare
  last_row constant int := pg_catalog.cardinality(p_times);
  deadlines timestamptz[] := pg_catalog.array_fill(null::timestamptz, array[p_steps]); -- start + window of the chain at each step
  nodes int[] := pg_catalog.array_fill(0, array[p_steps]);
  node_rows int[] := '{}';
  nodes_before int[] := '{}';
  node int := 0;
  level int := 0;
  best int := 0;
  i int := 1;
  j int;
  t timestamptz;
  mask bigint;
  instant bigint[];
  old_deadlines timestamptz[];
  old_nodes int[];
  old_level int;
  standing int[];
  reached int[];
  candidate int[];
  kept boolean;
begin
  while i <= last_row and level < p_steps loop
    t := p_times[i];
    mask := p_masks[i];
    if (i = last_row or p_times[i + 1] <> t) and mask >> 40 = 0 then -- nearly always
      for k in reverse least(level + 1, p_steps) .. 1 loop -- from high to low, so that the row serves one step
        if mask & (1::bigint << (k - 1)) <> 0 and (k = 1 or t <= deadlines[k - 1] and (deadlines[k - 1] > deadlines[k]) is not false) then
          node := node + 1;
          node_rows[node] := i;
          if k = 1 then
            deadlines[1] := t + p_window;
            nodes_before[node] := 0;
          else
            deadlines[k] := deadlines[k - 1];
            nodes_before[node] := nodes[k - 1];
          end if;
          nodes[k] := node;
          if k > level then
            level := k;
            best := node;
          end if;
        end if;
      end loop;
      i := i + 1;
      continue;
    end if;

    j := i;
    while j < last_row and p_times[j + 1] = t loop
      j := j + 1;
      mask := mask | p_masks[j];
    end loop;
    instant := p_masks[i : j];
    old_deadlines := deadlines;
    old_nodes := nodes;
    old_level := level;
    for m in reverse least(old_level + j - i + 1, p_steps) .. 1 loop
      standing := null;
      reached := null;
      kept := false;
      for f in reverse m .. 0 loop -- a chain that stood at f goes on to m
        exit when f < m and mask & (1::bigint << f) = 0 or m - f > j - i + 1;
        continue when f > 0 and (f < m and t > old_deadlines[f] or old_deadlines[f] is null);
        candidate := events_internal.funnel_chain_of(node_rows, nodes_before, case f when 0 then 0 else old_nodes[f] end);
        if f < m then
          candidate := candidate || array(select i - 1 + p from pg_catalog.unnest(events_internal.funnel_instant(instant, f + 1, m)) with ordinality u (p, n) order by n);
          continue when pg_catalog.cardinality(candidate) < m;
          if reached is null or events_internal.funnel_prefers(p_times, candidate, reached) then
            reached := candidate;
          end if;
        end if;
        if not exists (
          select from unnest(p_after, p_before) with ordinality x (after, before, n)
          where (mask >> (39 + n::int)) & 1 = 1 and x.after <= f and m < x.before
        ) and (standing is null or events_internal.funnel_prefers(p_times, candidate, standing)) then
          standing := candidate;
          kept := f = m;
        end if;
      end loop;
      if standing is null then
        deadlines[m] := null;
      elsif not kept then
        for k in 1 .. m loop
          node := node + 1;
          node_rows[node] := standing[k];
          nodes_before[node] := case k when 1 then 0 else node - 1 end;
        end loop;
        deadlines[m] := p_times[standing[1]] + p_window;
        nodes[m] := node;
      end if;
      if m > level and reached is not null then -- m descends: nothing further can be higher
        for k in 1 .. m loop
          node := node + 1;
          node_rows[node] := reached[k];
          nodes_before[node] := case k when 1 then 0 else node - 1 end;
        end loop;
        level := m;
        best := node;
      end if;
    end loop;
    i := j + 1;
  end loop;
  return events_internal.funnel_chain_of(node_rows, nodes_before, best);
end $$;
revoke all on function events_internal.funnel_chain_ordered(timestamptz[], bigint[], int, interval, int[], int[]) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_chain_ordered(timestamptz[], bigint[], int, interval, int[], int[]) is
  'The chosen chain, other events may come between. Exclusion n (bit 39 + n) counts after step p_after[n] and before step p_before[n], both of the required ones.';

create function events_internal.funnel_chain_strict(p_times timestamptz[], p_masks bigint[], p_steps int, p_window interval) returns int[]
  language plpgsql immutable parallel safe set search_path = '' as $$
declare
  deadlines timestamptz[] := pg_catalog.array_fill(null::timestamptz, array[p_steps]); -- of the chain whose step k is the row before
  level int := 0;
  best int[] := '{}';
  candidate int[];
begin
  for i in 1 .. pg_catalog.cardinality(p_times) loop
    exit when level = p_steps and p_times[i] > p_times[best[level]];
    for k in reverse least(level + 1, p_steps) .. 1 loop
      deadlines[k] := case
        when p_masks[i] & (1::bigint << (k - 1)) = 0 then null
        when k = 1 then p_times[i] + p_window
        when p_times[i] <= deadlines[k - 1] then deadlines[k - 1] end;
      if deadlines[k] is not null and (k > level or k = level and p_times[i] = p_times[best[level]]) then
        candidate := array(select n from pg_catalog.generate_series(i - k + 1, i) n order by n);
        if k > level or events_internal.funnel_prefers(p_times, candidate, best) then
          level := k;
          best := candidate;
        end if;
      end if;
    end loop;
  end loop;
  return best;
end $$;
revoke all on function events_internal.funnel_chain_strict(timestamptz[], bigint[], int, interval) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_chain_strict(timestamptz[], bigint[], int, interval) is
  'The chosen chain of rows that follow each other without any between, in the order of (created_at, id).';

create function events_internal.funnel_chain_strict_order(p_times timestamptz[], p_masks bigint[], p_steps int, p_window interval) returns int[]
  language plpgsql immutable parallel safe set search_path = '' as $$
declare
  deadlines timestamptz[] := pg_catalog.array_fill(null::timestamptz, array[p_steps]);
  nodes int[] := pg_catalog.array_fill(0, array[p_steps]);
  node_rows int[] := '{}';
  nodes_before int[] := '{}';
  node int := 0;
  level int := 0;
  best int[] := '{}';
  candidate int[];
  deadline timestamptz;
begin
  for i in 1 .. pg_catalog.cardinality(p_times) loop
    exit when level = p_steps and p_times[i] > p_times[best[level]];
    for k in reverse least(level + 1, p_steps) .. 1 loop
      deadline := case
        when p_masks[i] & (1::bigint << (k - 1)) = 0 then null
        when k = 1 then p_times[i] + p_window
        when p_times[i] <= deadlines[k - 1] then deadlines[k - 1] end;
      if p_masks[i] & (3::bigint << (k - 1)) = 0 then -- neither this step nor the next: whoever waits here for the next starts anew
        deadlines[k] := null;
      end if;
      if deadline is not null then
        if k > level or k = level and p_times[i] = p_times[best[level]] then
          candidate := case k when 1 then '{}' else events_internal.funnel_chain_of(node_rows, nodes_before, nodes[k - 1]) end || i;
          if k > level or events_internal.funnel_prefers(p_times, candidate, best) then
            level := k;
            best := candidate;
          end if;
        end if;
        if (deadline > deadlines[k]) is not false then
          node := node + 1;
          node_rows[node] := i;
          nodes_before[node] := case k when 1 then 0 else nodes[k - 1] end;
          nodes[k] := node;
          deadlines[k] := deadline;
        end if;
      end if;
    end loop;
  end loop;
  return best;
end $$;
revoke all on function events_internal.funnel_chain_strict_order(timestamptz[], bigint[], int, interval) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_chain_strict_order(timestamptz[], bigint[], int, interval) is
  'The chosen chain between whose steps i and i + 1 stand only rows that match one of the two, in the order of (created_at, id).';

-- Sets of rows that can serve a step each are a matroid. latest is the basis that a search from the latest row back would find;
-- so how many of it lie in a window that ends now is how many steps that window holds, whatever its length.
create function events_internal.funnel_chain_unordered(p_times timestamptz[], p_masks bigint[], p_steps int, p_window interval) returns int[]
  language plpgsql immutable parallel safe set search_path = '' as $$
declare
  all_steps constant bigint := (1::bigint << p_steps) - 1;
  latest int[] := '{}';
  without int[];
  level int := 0;
  starts_at timestamptz;
  ends_at timestamptz;
  in_window int;
  start timestamptz;
  chain int[] := '{}';
begin
  for i in 1 .. pg_catalog.cardinality(p_times) loop
    exit when level = p_steps and p_times[i] > ends_at;
    if events_internal.funnel_matching(array(select p_masks[r] from pg_catalog.unnest(latest) r) || p_masks[i], all_steps) > pg_catalog.cardinality(latest) then
      latest := latest || i;
    else
      for n in 1 .. pg_catalog.cardinality(latest) loop -- the earliest that this row can stand in for
        without := latest[: n - 1] || latest[n + 1 :];
        if p_masks[latest[n]] = p_masks[i]
          or events_internal.funnel_matching(array(select p_masks[r] from pg_catalog.unnest(without) r) || p_masks[i], all_steps) = pg_catalog.cardinality(latest) then
          latest := without || i;
          exit;
        end if;
      end loop;
    end if;
    select pg_catalog.count(*), pg_catalog.min(p_times[r]) into in_window, start
    from pg_catalog.unnest(latest) r where p_times[r] + p_window >= p_times[i];
    if in_window > level or in_window = level and p_times[i] = ends_at and start > starts_at then
      level := in_window;
      starts_at := start;
      ends_at := p_times[i];
    end if;
  end loop;

  for i in 1 .. pg_catalog.cardinality(p_times) loop
    exit when pg_catalog.cardinality(chain) = level;
    if p_times[i] >= starts_at
      and events_internal.funnel_matching(array(select p_masks[r] from pg_catalog.unnest(chain) r) || p_masks[i], all_steps) > pg_catalog.cardinality(chain) then
      chain := chain || i;
    end if;
  end loop;
  return chain;
end $$;
revoke all on function events_internal.funnel_chain_unordered(timestamptz[], bigint[], int, interval) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_chain_unordered(timestamptz[], bigint[], int, interval) is
  'The chosen rows that serve the most steps, another step each, within the window, in the order of (created_at, id).';

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
  'The rows of all steps: the chain''s, and for each optional one between them the first row that fits and serves no other.';

-- Without hash aggregation the groups keep the order of the rows that come in. Parallel safe and dear: see funnel_levels_of_part.
create function events_internal.funnel_chains_of_part(p_definition jsonb, p_condition text, p_part int, p_parts int)
  returns table (unit_key bigint, level int, step_times timestamptz[], step_ids uuid[])
  language plpgsql stable parallel safe cost 1000000000 set search_path = '' set work_mem = '256MB' set jit = off set enable_hashagg = off as $$
declare
  mode constant text := p_definition ->> 'mode';
  bits constant int[] := array(
    select (s ->> 'bit')::int from pg_catalog.jsonb_array_elements(p_definition -> 'steps') with ordinality u (s, n) order by n);
  required constant int := (select pg_catalog.count(*) from pg_catalog.unnest(bits) b where b < 20);
  conversion_window constant interval := interval '1 microsecond' * (p_definition ->> 'window')::bigint;
  after_steps constant int[] := array(
    select (x ->> 'after_required')::int from pg_catalog.jsonb_array_elements(p_definition -> 'exclude') with ordinality u (x, n) order by n);
  before_steps constant int[] := array(
    select (x ->> 'before_required')::int from pg_catalog.jsonb_array_elements(p_definition -> 'exclude') with ordinality u (x, n) order by n);
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
comment on function events_internal.funnel_chains_of(jsonb, text) is 'funnel_chains() of a checked definition, of the units that p_condition (SQL over event e) leaves.';

create function events_internal.funnel_chains(p_funnel jsonb) returns table (unit_key bigint, level int, step_times timestamptz[], step_ids uuid[])
  language sql stable set search_path = '' as $$
    select c.unit_key, c.level, c.step_times, c.step_ids from events_internal.funnel_chains_of(events_internal.funnel_definition(p_funnel)) c
  $$;
revoke all on function events_internal.funnel_chains(jsonb) from public, anon, authenticated, service_role;
comment on function events_internal.funnel_chains(jsonb) is
  'The chosen chain of every unit that came to step 1: level = required steps reached, and for every step when and by which event, null where not reached or not filled. '
  'Every other answer of a funnel is computed from this. Example: select * from events_internal.funnel_chains(''{"steps": ["SearchStarted", "BookingConfirmed"]}'')';

reset role;
