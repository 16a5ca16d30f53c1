-- What an operator does with a dead letter: look at it, mend its line, replay it once, or give it up. Who and when stays with it.
--
-- A replay goes straight into the table and not through the event log again: so the row, its counts and the letter's resolution are
-- one transaction, and twice is once. That takes the consumer's checks in SQL; a test holds the two to the same verdicts.

set local role events_owner;

alter table events_internal.dead_letters
  add column mended bytea,
  add column mended_at timestamptz,
  add column mended_by text,
  add column resolved_by text,
  add column note text,
  add check (resolution in ('replayed', 'duplicate', 'quarantined', 'given_up'));
comment on column events_internal.dead_letters.mended is 'The line that an operator put in the place of raw, which stays as it came.';
comment on column events_internal.dead_letters.resolution is
  'replayed: now a row of platform_events; duplicate: was there already; quarantined: outside the late window; given_up: by an operator.';

-- The rules of services/consumer/src/decode.ts and timestamp.ts.
create function events_internal.logged_event(
  p_line bytea, out id uuid, out event_type text, out user_id uuid, out session_id text, out properties jsonb,
  out created_at timestamptz, out raw_created_at timestamptz, out stream uuid, out seq integer
)
  language plpgsql stable set search_path = '' set timezone = 'UTC' as $$
declare
  uuid_form constant text := '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
  time_form constant text := '^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z$';
  line jsonb;
  wrong text;
begin
  begin
    line := pg_catalog.convert_from(p_line, 'UTF8')::jsonb;
  exception when data_exception or program_limit_exceeded then
    raise exception 'not JSON that Postgres can hold: %', sqlerrm using errcode = sqlstate;
  end;
  if pg_catalog.jsonb_typeof(line) <> 'object' then
    raise exception 'not an object' using errcode = 'invalid_parameter_value';
  end if;
  line := pg_catalog.jsonb_strip_nulls(line - 'properties') || pg_catalog.jsonb_build_object('properties', coalesce(line -> 'properties', '{}'));
  wrong := case
    when not coalesce(pg_catalog.jsonb_typeof(line -> 'id') = 'string' and line ->> 'id' ~ uuid_form, false) then 'id is not a UUID'
    when not coalesce(pg_catalog.jsonb_typeof(line -> 'event_type') = 'string' and line ->> 'event_type' <> '', false)
      then 'event_type is not a name'
    when not coalesce(pg_catalog.jsonb_typeof(line -> 'user_id') = 'string' and line ->> 'user_id' ~ uuid_form, not line ? 'user_id')
      then 'user_id is not a UUID'
    when line ? 'session_id' and pg_catalog.jsonb_typeof(line -> 'session_id') <> 'string' then 'session_id is not a string'
    when not coalesce(pg_catalog.jsonb_typeof(line -> 'created_at') = 'string' and line ->> 'created_at' ~ time_form, false)
      then 'created_at is not a time in UTC'
    when line ? 'raw_created_at'
      and (pg_catalog.jsonb_typeof(line -> 'raw_created_at') <> 'string' or line ->> 'raw_created_at' !~ time_form)
      then 'raw_created_at is not a time in UTC'
    when line ? 'stream' and (pg_catalog.jsonb_typeof(line -> 'stream') <> 'string' or line ->> 'stream' !~ uuid_form)
      then 'stream is not a UUID'
    when pg_catalog.jsonb_typeof(line -> 'properties') <> 'object' then 'properties is not an object'
  end;
  if wrong is null and line ? 'seq' then
    if pg_catalog.jsonb_typeof(line -> 'seq') <> 'number' then
      wrong := 'seq is not a whole number';
    elsif (line ->> 'seq')::numeric not between 0 and 2147483647 or (line ->> 'seq')::numeric % 1 <> 0 then
      wrong := 'seq is not a whole number';
    end if;
  end if;
  if wrong is not null then
    raise exception '%', wrong using errcode = 'invalid_parameter_value';
  end if;

  id := line ->> 'id';
  event_type := line ->> 'event_type';
  user_id := line ->> 'user_id';
  session_id := line ->> 'session_id';
  properties := line -> 'properties';
  created_at := (line ->> 'created_at')::timestamptz;
  raw_created_at := (line ->> 'raw_created_at')::timestamptz;
  stream := line ->> 'stream';
  seq := (line ->> 'seq')::numeric;
end $$;
revoke all on function events_internal.logged_event(bytea) from public, anon, authenticated, service_role;
comment on function events_internal.logged_event(bytea) is
  'The event of a line of the log; an error of class 22, saying what is wrong with it, where it is none. As the consumer reads it.';

create function events_internal.replay_dead_letter(p_id bigint, p_by text, out outcome text, out message text)
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
  end if;
  update events_internal.dead_letters l set resolved_at = now(), resolution = outcome, resolved_by = p_by where l.dead_letter_id = p_id;
end $$;
revoke all on function events_internal.replay_dead_letter(bigint, text) from public, anon, authenticated, service_role;
comment on function events_internal.replay_dead_letter(bigint, text) is
  'Stores the event of a dead letter, mended or as it came, by the consumer''s rules, and resolves the letter, in one transaction: '
  'select * from events_internal.replay_dead_letter(7, ''ana''). Outcome: replayed, duplicate, quarantined; refused (the letter stays as it is, '
  'message says why), already_resolved, unknown.';

create function events_internal.mend_dead_letter(p_id bigint, p_line text, p_by text, out outcome text, out message text)
  language plpgsql volatile set search_path = '' as $$
begin
  if coalesce(p_by, '') = '' then
    raise exception 'who mends?' using errcode = 'null_value_not_allowed';
  end if;
  begin
    perform events_internal.logged_event(pg_catalog.convert_to(p_line, 'UTF8'));
  exception when data_exception or program_limit_exceeded then
    outcome := 'refused';
    message := sqlstate || ' ' || sqlerrm;
    return;
  end;
  update events_internal.dead_letters l set mended = pg_catalog.convert_to(p_line, 'UTF8'), mended_at = now(), mended_by = p_by
  where l.dead_letter_id = p_id and l.resolved_at is null;
  outcome := case
    when found then 'mended'
    when exists (select from events_internal.dead_letters l where l.dead_letter_id = p_id) then 'already_resolved'
    else 'unknown'
  end;
end $$;
revoke all on function events_internal.mend_dead_letter(bigint, text, text) from public, anon, authenticated, service_role;
comment on function events_internal.mend_dead_letter(bigint, text, text) is
  'Puts another line in the place of a dead letter''s; what came stays in raw. Outcome: mended; refused (the line is no event, message says why), '
  'already_resolved, unknown. Replay it afterwards.';

create function events_internal.give_up_dead_letter(p_id bigint, p_by text, p_note text default null, out outcome text, out message text)
  language plpgsql volatile set search_path = '' as $$
begin
  if coalesce(p_by, '') = '' then
    raise exception 'who gives up?' using errcode = 'null_value_not_allowed';
  end if;
  update events_internal.dead_letters l set resolved_at = now(), resolution = 'given_up', resolved_by = p_by, note = p_note
  where l.dead_letter_id = p_id and l.resolved_at is null;
  outcome := case
    when found then 'given_up'
    when exists (select from events_internal.dead_letters l where l.dead_letter_id = p_id) then 'already_resolved'
    else 'unknown'
  end;
end $$;
revoke all on function events_internal.give_up_dead_letter(bigint, text, text) from public, anon, authenticated, service_role;
comment on function events_internal.give_up_dead_letter(bigint, text, text) is
  'Resolves a dead letter without storing it; it stays in the table, with who, when and why. Outcome: given_up, already_resolved, unknown.';

reset role;
