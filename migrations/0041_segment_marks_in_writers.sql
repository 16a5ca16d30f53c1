-- Functions of earlier migrations that write rows, or drop days, by themselves: as they were, with what day segments need of them (0019).

set local role events_owner;

create or replace function events_internal.complete_direct_insert() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  own_key constant bigint := events_internal.actor_key(new.user_id, new.session_id);
  received constant text := (new.received_at at time zone 'UTC')::date::text;
  event_day constant date := (new.created_at at time zone 'UTC')::date;
  setting constant text := coalesce((select s.name from events_internal.direct_rows_setting s), 'events_internal.direct_rows');
  counted jsonb := coalesce(nullif(pg_catalog.current_setting(setting, true), ''), '{}')::jsonb;
begin
  if new.actor_key is distinct from own_key then
    update public.platform_events e set actor_key = own_key
    where e.created_at = new.created_at and e.id = new.id;
  end if;

  insert into events_internal.event_rollup_hourly as r (hour, event_type, shard, n)
  values (pg_catalog.date_trunc('hour', new.created_at, 'UTC'), new.event_type, events_internal.lock_direct_shard(), 1)
  on conflict (hour, event_type, shard) do update set n = r.n + 1;

  counted := pg_catalog.set_config(setting, -- assigned, which is half of what perform costs
    (counted || pg_catalog.jsonb_build_object(received, coalesce((counted ->> received)::bigint, 0) + 1))::text, true);

  -- ON CONFLICT locks the row even where its WHERE then says no, and consumers lock sessions in key order while a batch of
  -- direct inserts comes in any order: so look first, and lock only what has to change.
  if new.user_id is not null and new.session_id is not null and not exists (
    select from events_internal.session_users s
    where s.session_id = new.session_id and (s.first_created_at, s.first_id) <= (new.created_at, new.id)
  ) then
    insert into events_internal.session_users as s (session_id, session_key, user_id, user_key, first_created_at, first_id)
    values (new.session_id, events_internal.actor_key(null, new.session_id), new.user_id, own_key, new.created_at, new.id)
    on conflict (session_id) do update
      set user_id = excluded.user_id, user_key = excluded.user_key,
          first_created_at = excluded.first_created_at, first_id = excluded.first_id
      where (excluded.first_created_at, excluded.first_id) < (s.first_created_at, s.first_id);
  end if;

  -- mark_late_event, in place: a call costs what all of this costs.
  if pg_catalog.current_setting('transaction_isolation') <> 'read committed'
    or exists (select from events_internal.event_segments s where s.day = event_day)
  then
    insert into events_internal.segment_changes (day, created_at, event_id) values (event_day, new.created_at, new.id);
  end if;
  return null;
end $$;
comment on function events_internal.complete_direct_insert() is
  'Gives a row inserted by SQL what the consumer gives its rows: actor_key, rollup, session map, its mark for segments; and counts it for the ledger.';

create or replace function events_internal.replay_dead_letter(p_id bigint, p_by text, out outcome text, out message text)
  language plpgsql volatile set search_path = '' as $$
declare
  letter events_internal.dead_letters;
  event record;
  stored boolean := false;
  user_key bigint;
begin
  if coalesce(p_by, '') = '' then
    raise exception 'who replays?' using errcode = 'null_value_not_allowed';
  end if;
  -- Whoever replays the same letter at the same time waits here, and then finds it resolved.
  select * into letter from events_internal.dead_letters l where l.dead_letter_id = p_id for update;
  if not found then
    outcome := 'unknown';
    return;
  elsif letter.resolved_at is not null then
    outcome := 'already_resolved';
    message := pg_catalog.format('%s at %s', letter.resolution, letter.resolved_at);
    return;
  elsif letter.source_id is null or letter.received_at is null then
    outcome := 'refused';
    message := 'record without source_id or received_at: nobody knows whose event this is';
    return;
  end if;

  begin
    select * into event from events_internal.logged_event(coalesce(letter.mended, letter.raw));

    -- LIMITS.LATE_WINDOW_MS and CLOCK_TOLERANCE_MS of packages/contracts.
    if letter.received_at - event.created_at > interval '168 hours' or event.created_at - letter.received_at > interval '5 minutes' then
      outcome := 'quarantined';
      message := case when event.created_at < letter.received_at then 'too_old' else 'in_future' end;
      insert into events_internal.quarantined_events (source_id, event_id, event_type, reason, created_at, received_at, raw)
      values (letter.source_id, event.id, event.event_type, message, event.created_at, letter.received_at, coalesce(letter.mended, letter.raw))
      on conflict do nothing;
    elsif exists (
      -- By id, always: it may have come again meanwhile, and mending may have changed its time.
      select from public.platform_events e
      where e.id = event.id and e.created_at between event.created_at - interval '168 hours' and event.created_at + interval '168 hours'
    ) then
      outcome := 'duplicate';
    elsif exists (
      select from events_internal.missing_days((event.created_at at time zone 'UTC')::date, (event.created_at at time zone 'UTC')::date)
    ) then
      outcome := 'refused';
      message := pg_catalog.format('there is no partition for %s: select events_internal.create_day(%L)',
        (event.created_at at time zone 'UTC')::date, (event.created_at at time zone 'UTC')::date);
      return;
    else
      insert into public.platform_events
        (id, event_type, user_id, session_id, properties, created_at, received_at, source_id, actor_key, stream, seq, raw_created_at)
      values (event.id, event.event_type, event.user_id, event.session_id, event.properties, event.created_at, letter.received_at,
        letter.source_id, events_internal.actor_key(event.user_id, event.session_id), event.stream, event.seq, event.raw_created_at)
      on conflict (created_at, id) do nothing;
      stored := found;
      outcome := case when stored then 'replayed' else 'duplicate' end;
    end if;
  exception when data_exception or program_limit_exceeded or not_null_violation or check_violation then
    outcome := 'refused';
    message := sqlstate || ' ' || sqlerrm;
    return;
  end;

  if stored then
    -- As complete_direct_insert does, which looks at rows of no source only.
    user_key := events_internal.actor_key(event.user_id, null);
    if event.user_id is not null and event.session_id is not null then
      insert into events_internal.session_users as s (session_id, session_key, user_id, user_key, first_created_at, first_id)
      values (event.session_id, events_internal.actor_key(null, event.session_id), event.user_id, user_key, event.created_at, event.id)
      on conflict (session_id) do update
        set user_id = excluded.user_id, user_key = excluded.user_key,
            first_created_at = excluded.first_created_at, first_id = excluded.first_id
        where (excluded.first_created_at, excluded.first_id) < (s.first_created_at, s.first_id);
    end if;
    insert into events_internal.event_rollup_hourly as r (hour, event_type, shard, n)
    values (pg_catalog.date_trunc('hour', event.created_at, 'UTC'), event.event_type, events_internal.lock_direct_shard(), 1)
    on conflict (hour, event_type, shard) do update set n = r.n + 1;
    perform events_internal.mark_late_event(event.created_at, event.id);
  end if;
  update events_internal.dead_letters l set resolved_at = now(), resolution = outcome, resolved_by = p_by where l.dead_letter_id = p_id;
end $$;

-- The segment goes in the same transaction as the day.
create or replace function events_internal.drop_old_days(p_days int) returns void
  language plpgsql volatile security definer set search_path = '' set lock_timeout = '200ms' as $$
declare
  cutoff constant timestamptz := now() - pg_catalog.make_interval(days => p_days);
  day record;
begin
  for attempt in 1..5 loop
    begin
      -- A killed DETACH CONCURRENTLY blocks every later one until it is finalised.
      for day in select a.leaf from events_internal.attached_days() a where a.pending loop
        execute pg_catalog.format('alter table public.platform_events detach partition %s finalize', day.leaf);
      end loop;

      -- Partitions that a kill left detached: old ones go, the others come back.
      for day in select u.leaf, u.day from events_internal.unattached_days() u loop
        if (day.day + 1)::timestamp at time zone 'UTC' <= cutoff then
          execute pg_catalog.format('drop table %s', day.leaf);
        else
          perform events_internal.create_day(day.day);
        end if;
      end loop;

      for day in select a.leaf from events_internal.attached_days() a where a.upper_bound <= cutoff order by a.lower_bound loop
        execute pg_catalog.format('alter table public.platform_events detach partition %s', day.leaf);
        execute pg_catalog.format('drop table %s', day.leaf);
      end loop;
      delete from events_internal.event_segments s where (s.day + 1)::timestamp at time zone 'UTC' <= cutoff;
      delete from events_internal.segment_changes c where (c.day + 1)::timestamp at time zone 'UTC' <= cutoff;
      delete from events_internal.closed_days c where (c.day + 1)::timestamp at time zone 'UTC' <= cutoff;
      return;
    exception when lock_not_available then
      perform pg_catalog.pg_sleep(0.1);
    end;
  end loop;
  raise warning 'platform_events: old partitions not dropped, the table was in use for five times 200 ms'
    using hint = 'Nothing is lost; the next run drops them. Look for long transactions on platform_events.';
end $$;

reset role;
