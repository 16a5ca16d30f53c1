-- The chosen chain of a unit in mode ordered.

set local role events_owner;

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
comment on function events_internal.funnel_chain_of(int[], int[], int) is
  'The chain that ends at a node: node n is row p_rows[n] after node p_before[n], 0 for a start. '
  'Example: select events_internal.funnel_chain_of(''{4,7}'', ''{0,1}'', 2) -- {4,7}';

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
  'The chosen chain, other events may come between. Exclusion n (bit 39 + n) counts after step p_after[n] and before step p_before[n], both of the required ones. '
  'Example: select events_internal.funnel_chain_ordered(''{2026-11-01, 2026-11-02, 2026-11-03}'', ''{1,1,2}'', 2, ''7 days'', ''{}'', ''{}'') -- {2,3}';

reset role;
