-- The chosen chain of a unit in the other modes.

set local role events_owner;

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
  'The chosen chain of rows that follow each other without any between, in the order of (created_at, id). '
  'Example: select events_internal.funnel_chain_strict(''{2026-11-01, 2026-11-02, 2026-11-03}'', ''{1,0,2}'', 2, ''7 days'') -- {1}';

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
  'The chosen chain between whose steps i and i + 1 stand only rows that match one of the two, in the order of (created_at, id). '
  'Example: select events_internal.funnel_chain_strict_order(''{2026-11-01, 2026-11-02, 2026-11-03}'', ''{1,4,2}'', 3, ''7 days'') -- {1}';

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
  'The chosen rows that serve the most steps, another step each, within the window, in the order of (created_at, id). '
  'Example: select events_internal.funnel_chain_unordered(''{2026-11-01, 2026-11-02, 2026-11-03}'', ''{2,4,1}'', 3, ''7 days'') -- {1,2,3}';

reset role;
