-- Events that the database emits by itself, when a row of the platform's is written: exactly once for a row, in the row's own transaction.
--
-- By a direct insert into platform_events, and not by an outbox. It costs a booking 0.4 ms (0.9 against 0.5 ms; eight at once on two cores
-- 1,100 bookings a second against 3,100), an outbox row next to nothing (`npm run bench server-events`), and the event's cost later. For
-- that the event is there when the booking is, in the counts, in the funnel and on the page, and nothing has to run. The rows of one
-- transaction are another matter, since each wants a savepoint of its own and they write the same rollup row: 2,000 took 1.7 ms each,
-- 4,000 took 4.3. So the first hundred go directly, and what a bulk statement adds goes by unsent_events, the outbox after all, together
-- with what platform_events did not take: send_unsent_events() moves both.

create schema if not exists marketplace_internal;
revoke all on schema marketplace_internal from public, anon, authenticated;

do $$
begin
  if to_regclass('public.platform_events') is null then
    raise exception 'platform_events is missing' using errcode = 'undefined_table', hint = 'Migrate the core first: platform-events migrate.';
  end if;
end $$;

create table if not exists marketplace_internal.emitted_events (
  once text,
  event_type text,
  emitted_at timestamptz not null default now(),
  primary key (once, event_type)
);
comment on table marketplace_internal.emitted_events is
  'Which rows have had their event: once is the row, like public.bookings:<id>. For good, since a booking may be confirmed again after a year; about 150 bytes each.';

create table if not exists marketplace_internal.unsent_events (
  unsent_id bigint generated always as identity primary key,
  event_id uuid not null default gen_random_uuid(),
  event_type text not null,
  user_id uuid,
  session_id text,
  properties jsonb not null default '{}',
  created_at timestamptz not null,
  sqlstate text,
  error text,
  tries integer not null default 1,
  tried_at timestamptz not null default now()
);
create index if not exists unsent_events_tried_at_idx on marketplace_internal.unsent_events (tried_at, unsent_id);
comment on table marketplace_internal.unsent_events is
  'Events that platform_events did not take when they happened, as while their day had no partition (sqlstate says why), and what a transaction '
  'emits beyond its first hundred (tries is 0). send_unsent_events() sends them.';

revoke all on marketplace_internal.emitted_events, marketplace_internal.unsent_events from public, anon, authenticated, service_role;

-- What fails here fails inside a savepoint. Not caught: a cancel, and a statement timeout, which mean the whole statement.
create or replace function marketplace_internal.emit_event(
  p_event_type text, p_properties jsonb, p_user_id uuid, p_session_id text, p_once text
) returns boolean
  language plpgsql volatile security definer set search_path = '' as $$
declare
  -- Not now(): two events of one transaction are in the order in which they happened, and the funnel asks for it.
  happened constant timestamptz := pg_catalog.clock_timestamp();
  emitted_here constant text := pg_catalog.current_setting('marketplace.emitted_here', true); -- anybody may set it, to anything
  n integer := 1;
  state text;
  message text;
begin
  if p_event_type is null then
    raise exception 'an event has a type' using errcode = 'null_value_not_allowed';
  end if;
  if p_once is not null then
    insert into marketplace_internal.emitted_events (once, event_type) values (p_once, p_event_type) on conflict do nothing;
    if not found then
      return false;
    end if;
  end if;
  if emitted_here ~ '^\d{1,6}$' then
    n := emitted_here::integer + 1;
  end if;
  perform pg_catalog.set_config('marketplace.emitted_here', n::text, true);
  if n > 100 then
    insert into marketplace_internal.unsent_events (event_type, user_id, session_id, properties, created_at, tries)
    values (p_event_type, p_user_id, p_session_id, coalesce(p_properties, '{}'), happened, 0);
    return true;
  end if;
  begin
    -- With its derived column, which the table's trigger would else write by an update: a fifth of the time.
    insert into public.platform_events (event_type, user_id, session_id, properties, created_at, actor_key)
    values (p_event_type, p_user_id, p_session_id, coalesce(p_properties, '{}'), happened, events_internal.actor_key(p_user_id, p_session_id));
  exception when others then
    get stacked diagnostics state = returned_sqlstate, message = message_text;
    insert into marketplace_internal.unsent_events (event_type, user_id, session_id, properties, created_at, sqlstate, error)
    values (p_event_type, p_user_id, p_session_id, coalesce(p_properties, '{}'), happened, state, message);
  end;
  return true;
end $$;
revoke all on function marketplace_internal.emit_event(text, jsonb, uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function marketplace_internal.emit_event(text, jsonb, uuid, text, text) to service_role;
comment on function marketplace_internal.emit_event(text, jsonb, uuid, text, text) is 'Body of public.emit_event.';

create or replace function public.emit_event(
  p_event_type text, p_properties jsonb default '{}', p_user_id uuid default null, p_session_id text default null, p_once text default null
) returns boolean
  language sql volatile security invoker set search_path = ''
begin atomic
  select marketplace_internal.emit_event(p_event_type, p_properties, p_user_id, p_session_id, p_once);
end;
revoke all on function public.emit_event(text, jsonb, uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function public.emit_event(text, jsonb, uuid, text, text) to service_role;
comment on function public.emit_event(text, jsonb, uuid, text, text) is
  'Stores an event in the caller''s transaction: kept if that commits, gone if not, and never the reason why it fails. With p_once, once for that text and '
  'type; returns whether it was not there before. For service_role. '
  'Example: select emit_event(''PayoutInitiated'', ''{"payout_id": "p-1", "amount": 90000, "method": "nequi"}'', p_once => ''payout p-1'')';

-- Who a row is about: { user?, session?, guest?, booking? }, each the name of a column. `booking` refers to bookings, whose customer or guest it then is.
create or replace function marketplace_internal.actor_of_row(p_row jsonb, p_actor jsonb, out user_id uuid, out session_id text)
  language plpgsql stable set search_path = '' as $$
declare
  booking jsonb := p_row;
  guest text := p_row ->> (p_actor ->> 'guest');
begin
  user_id := (p_row ->> (p_actor ->> 'user'))::uuid;
  session_id := p_row ->> (p_actor ->> 'session');
  if user_id is null and session_id is null and guest is null and p_row ->> (p_actor ->> 'booking') is not null then
    -- The literal takes whatever type the platform's ids have.
    execute pg_catalog.format('select to_jsonb(b) from public.bookings b where b.id = %L', p_row ->> (p_actor ->> 'booking')) into booking;
    user_id := (booking ->> 'customer_id')::uuid;
    guest := booking ->> 'guest_session_id';
  end if;
  if session_id is null and guest is not null then
    select coalesce(g.metadata ->> 'analytics_session_id', g.id::text) into session_id
    from public.guest_sessions g where g.id = guest::uuid;
  end if;
end $$;
revoke all on function marketplace_internal.actor_of_row(jsonb, jsonb) from public, anon, authenticated, service_role;
comment on function marketplace_internal.actor_of_row(jsonb, jsonb) is 'The user of a row, and the session: the one the tracker gave the guest, else the guest session''s own id.';

-- Definer: whoever writes the row, a guest as anon too, has no right here. Attached by emit_events_of only.
create or replace function marketplace_internal.emit_event_of_row() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  event_type constant text := tg_argv[0];
  plan constant jsonb := tg_argv[1];
  row_now constant jsonb := to_jsonb(new);
  row_before constant jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) end;
  once text := tg_table_schema || '.' || tg_table_name || ':' || coalesce(row_now ->> (plan ->> 'key'), '');
  actor record;
  properties jsonb;
begin
  if plan -> 'on' ? 'not_from' then -- every change of its own, but each once
    once := once || ' ' || coalesce(row_before ->> (plan #>> '{on,column}'), '') || '>' || coalesce(row_now ->> (plan #>> '{on,column}'), '');
  end if;
  begin
    select a.user_id, a.session_id into actor from marketplace_internal.actor_of_row(row_now, plan -> 'actor') a;
    select pg_catalog.jsonb_object_agg(p.name, p.value) into properties
    from (
      select pg_catalog.rtrim(m.key, '?') as name, case
        when pg_catalog.jsonb_typeof(m.value) = 'string' then row_now -> (m.value #>> '{}')
        when m.value ? 'before' then row_before -> (m.value ->> 'before')
        when m.value ? 'length_of' then to_jsonb(coalesce(pg_catalog.length(row_now ->> (m.value ->> 'length_of')), 0))
        else coalesce(nullif(row_now -> (m.value ->> 'column'), 'null'), m.value -> 'else')
      end as value
      from pg_catalog.jsonb_each(plan -> 'properties') m
    ) p
    where p.value <> 'null';
    perform marketplace_internal.emit_event(event_type, properties, actor.user_id, actor.session_id, once);
  exception when others then
    raise warning 'no % of %: %', event_type, once, sqlerrm using errcode = sqlstate;
  end;
  return null;
end $$;
revoke all on function marketplace_internal.emit_event_of_row() from public, anon, authenticated, service_role;
comment on function marketplace_internal.emit_event_of_row() is 'Trigger function of emit_events_of: (event type, plan).';

create or replace function marketplace_internal.emit_events_of(
  p_relation regclass, p_event_type text, p_properties jsonb, p_actor jsonb, p_on jsonb default '{}', p_key text default 'id'
) returns void
  language plpgsql volatile set search_path = '' as $$
declare
  column_names constant text[] := array(
    select a.attname::text from pg_catalog.pg_attribute a where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped);
  columns_needed constant text[] := array(
    select case pg_catalog.jsonb_typeof(m.value) when 'string' then m.value #>> '{}'
      else coalesce(m.value ->> 'column', m.value ->> 'before', m.value ->> 'length_of') end
    from pg_catalog.jsonb_each(p_properties) m where m.key not like '%?'
    union all select p_key
    union all select p_on ->> 'column' where p_on ? 'column');
  columns_lacking constant text[] := array(select n from pg_catalog.unnest(columns_needed) n where n <> all (column_names));
  arguments constant text := pg_catalog.format('%L, %L', p_event_type,
    pg_catalog.jsonb_build_object('properties', p_properties, 'actor', p_actor, 'on', p_on, 'key', p_key));
  on_insert constant name := 'emit_' || p_event_type || '_on_insert';
  on_update constant name := 'emit_' || p_event_type || '_on_update';
  earlier name;
  condition text;
begin
  if columns_lacking <> '{}' then
    raise exception '% has no column %', p_relation, pg_catalog.array_to_string(columns_lacking, ', ') using errcode = 'undefined_column',
      hint = 'Map the platform''s own columns: select marketplace_internal.emit_events_of(…).';
  end if;
  if not exists (select from pg_catalog.jsonb_each_text(p_actor) a where a.value = any (column_names)) then
    raise exception '% has none of the columns of %, so that nobody knows whose event it would be', p_relation, p_actor using errcode = 'undefined_column';
  end if;
  for earlier in select t.tgname from pg_catalog.pg_trigger t where t.tgrelid = p_relation and t.tgname in (on_insert, on_update) loop
    execute pg_catalog.format('drop trigger %I on %s', earlier, p_relation);
  end loop;
  if not p_on ? 'column' then
    execute pg_catalog.format('create trigger %I after insert on %s for each row execute function marketplace_internal.emit_event_of_row(%s)',
      on_insert, p_relation, arguments);
    return;
  end if;
  -- Conditions of the trigger, which cost a row that does not meet them next to nothing.
  condition := pg_catalog.format('new.%1$I is distinct from old.%1$I and ', p_on ->> 'column');
  if p_on ? 'becomes' then
    execute pg_catalog.format(
      'create trigger %I after insert on %s for each row when (new.%I::text = %L) execute function marketplace_internal.emit_event_of_row(%s)',
      on_insert, p_relation, p_on ->> 'column', p_on ->> 'becomes', arguments);
    condition := condition || pg_catalog.format('new.%I::text = %L', p_on ->> 'column', p_on ->> 'becomes');
  else
    condition := condition || pg_catalog.format('old.%I::text <> %L', p_on ->> 'column', p_on ->> 'not_from');
  end if;
  execute pg_catalog.format('create trigger %I after update on %s for each row when (%s) execute function marketplace_internal.emit_event_of_row(%s)',
    on_update, p_relation, condition, arguments);
end $$;
revoke all on function marketplace_internal.emit_events_of(regclass, text, jsonb, jsonb, jsonb, text) from public, anon, authenticated, service_role;
comment on function marketplace_internal.emit_events_of(regclass, text, jsonb, jsonb, jsonb, text) is
  'Has every row of a table emit an event, once. p_properties: property to column (a name with ? may lack its column; { "length_of": c }, '
  '{ "before": c } of an update, { "column": c, "else": v }, { "else": v }); what is null is left out. p_actor: { user, session, guest, booking }: columns. '
  'p_on: {} is an insert; { column, becomes } when a column takes a value, by insert or update; { column, not_from } each change but from that value. '
  'For the login that migrates. Raises 42703 where a column is not there. '
  'Example: select marketplace_internal.emit_events_of(''leads'', ''LeadReceived'', ''{"city?": "city", "service": "service", "price": "price", "instant_book": "instant"}'', ''{"user": "pro_id"}'')';

create or replace function marketplace_internal.send_unsent_events(p_ids bigint[]) returns integer
  language plpgsql volatile set search_path = '' as $$
declare
  sent integer;
begin
  with gone as (delete from marketplace_internal.unsent_events u where u.unsent_id = any(p_ids) returning u.*)
  insert into public.platform_events (id, event_type, user_id, session_id, properties, created_at, actor_key)
  select g.event_id, g.event_type, g.user_id, g.session_id, g.properties, g.created_at, events_internal.actor_key(g.user_id, g.session_id)
  from gone g order by g.unsent_id;
  get diagnostics sent = row_count;
  return sent;
end $$;
revoke all on function marketplace_internal.send_unsent_events(bigint[]) from public, anon, authenticated, service_role;
comment on function marketplace_internal.send_unsent_events(bigint[]) is 'Sends these, all or none.';

create or replace function marketplace_internal.send_unsent_events() returns integer
  language plpgsql volatile security definer set search_path = '' as $$
declare
  ids constant bigint[] := array(
    select u.unsent_id from marketplace_internal.unsent_events u order by u.tried_at, u.unsent_id limit 1000 for update skip locked);
  next_id bigint;
  state text;
  message text;
  sent integer := 0;
begin
  begin
    return marketplace_internal.send_unsent_events(ids);
  exception when others then
    null; -- one of them: each by itself, then
  end;
  foreach next_id in array ids loop
    begin
      sent := sent + marketplace_internal.send_unsent_events(array[next_id]);
    exception when others then
      get stacked diagnostics state = returned_sqlstate, message = message_text;
      update marketplace_internal.unsent_events u
      set tries = u.tries + 1, tried_at = pg_catalog.clock_timestamp(), sqlstate = state, error = message
      where u.unsent_id = next_id;
    end;
  end loop;
  return sent;
end $$;
revoke all on function marketplace_internal.send_unsent_events() from public, anon, authenticated, service_role;
grant execute on function marketplace_internal.send_unsent_events() to service_role;
comment on function marketplace_internal.send_unsent_events() is
  'Tries the events that waited, at most 1,000, and returns how many went. What fails again waits on. Any number may run at once.';

-- The platform's tables, where they are and are of this shape.
do $$
declare
  own record;
begin
  for own in
    select * from (values
      ('public.searches', 'SearchStarted', '{"city?": "city", "service?": "service", "lat?": "lat", "lng?": "lng", "device?": "device"}',
        '{"user": "user_id", "session": "session_id"}', '{}'),
      ('public.bookings', 'CheckoutStarted',
        '{"pro_id": "professional_id", "items?": "items", "subtotal": "subtotal", "deposit_type?": "deposit_type"}',
        '{"user": "customer_id", "guest": "guest_session_id"}', '{}'),
      ('public.bookings', 'BookingConfirmed', '{"booking_id": "id", "total": "total", "deposit_captured": {"column": "deposit_captured", "else": false}}',
        '{"user": "customer_id", "guest": "guest_session_id"}', '{"column": "status", "becomes": "confirmed"}'),
      ('public.bookings', 'Cancellation',
        '{"booking_id": "id", "who_initiated": {"column": "cancelled_by", "else": "system"}, "reason?": "cancel_reason", "refund_amount?": "refund_amount"}',
        '{"user": "customer_id", "guest": "guest_session_id"}', '{"column": "status", "becomes": "cancelled"}'),
      ('public.bookings', 'JobStatusChanged', '{"booking_id": "id", "from": {"before": "status"}, "to": "status"}',
        '{"user": "customer_id", "guest": "guest_session_id"}', '{"column": "status", "not_from": "pending"}'),
      ('public.payments', 'PaymentAttempted', '{"method": "method", "success": "success", "error_code?": "error_code", "amount?": "amount"}',
        '{"booking": "booking_id"}', '{}'),
      ('public.booking_reviews', 'ReviewSubmitted', '{"booking_id": "booking_id", "rating": "rating", "text_len": {"length_of": "body"}}',
        '{"user": "customer_id", "booking": "booking_id"}', '{}')
    ) t (relation, event_type, properties, actor, happens)
  loop
    begin
      if to_regclass(own.relation) is null then
        raise exception '% is not there', own.relation using errcode = 'undefined_table';
      end if;
      perform marketplace_internal.emit_events_of(own.relation::regclass, own.event_type, own.properties::jsonb, own.actor::jsonb, own.happens::jsonb);
    exception when undefined_column or undefined_table or insufficient_privilege then
      raise notice '% is not emitted: %', own.event_type, sqlerrm
        using hint = 'select marketplace_internal.emit_events_of(…) maps the platform''s own table.';
    end;
  end loop;
end $$;
