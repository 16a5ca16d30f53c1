-- Which chain is chosen among equals, and which row serves which step where several could. The rows of a unit come as arrays, in order
-- of (created_at, id), each with a mask of what it matches: required steps from bit 0, optional ones from bit 20, exclusions from
-- bit 40. A chain is an array of positions in these.

set local role events_owner;

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
  'Whether the first of two chains of one level and one end is chosen: the later start, then the least times, then the least positions. '
  'Example: select events_internal.funnel_prefers(''{2026-11-01, 2026-11-02, 2026-11-03}'', ''{2,3}'', ''{1,3}'') -- t';

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
comment on function events_internal.funnel_matching(bigint[], bigint) is
  'How many of the rows with these masks can serve a step each, another one each, of the steps p_wanted (bits). '
  'Example: select events_internal.funnel_matching(''{3,1}'', 3) -- 2';

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
  'For steps p_first … p_last a row each of those with these masks, another one each, the least such vector; null if there is none. '
  'Example: select events_internal.funnel_instant(''{3,1}'', 1, 2) -- {2,1}';

reset role;
