-- Events that the database emits by itself, when a row of the platform's is written: exactly once for a row, in the row's own transaction.
--
-- By a direct insert into platform_events, and not by an outbox. It costs a booking 0.45 ms (0.83 against 0.39 ms; eight at once on two
-- cores 1,800 bookings a second against 6,700), an outbox row next to nothing (`npm run bench server-events`), and the event's cost later.
-- For that the event is there when the booking is, in the counts, in the funnel and on the page, and nothing has to run. The events of one
-- transaction are another matter, since they all write the same rollup row: 2,000 took 1.7 ms each, 4,000 took 4.3. So the first hundred go
-- directly, and what a bulk statement adds goes by unsent_events, the outbox after all, together with what platform_events did not take:
-- send_unsent_events() moves both.
--
-- By statement triggers, with one savepoint a statement: a savepoint a row filled the server's list of them at 64, and then every
-- snapshot of every session looks further. Confirmed bookings cancelled by one UPDATE, 100,000 with 200,000 events: 7.3 s against 0.8 s
-- without triggers (25 s by rows, same hour). The price: an UPDATE of 100,000 rows that emits nothing takes 2.6 s (by rows 1.2 s).

create schema if not exists marketplace_internal;
revoke all on schema marketplace_internal from public, anon, authenticated;

do $$
begin
  if to_regclass('public.platform_events') is null then
    raise exception 'platform_events is missing' using errcode = 'undefined_table', hint = 'Migrate the core first: platform-events migrate.';
  end if;
end $$;

create table if not exists marketplace_internal.emitted_events (
  once bytea primary key,
  event_type text not null,
  emitted_at timestamptz not null default now()
);
comment on table marketplace_internal.emitted_events is
  'Which rows have had their event. For good, since a booking may be confirmed again after a year; about 130 bytes each.';
comment on column marketplace_internal.emitted_events.once is
  'sha256 of the JSON array [event type, what is once], like ["BookingConfirmed", "public.bookings:<id>"]: of any length, and an index takes it.';

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

-- What a forced rollback put aside.
do $$
begin
  if to_regprocedure('marketplace_internal.take_back_rows(text)') is not null then
    perform marketplace_internal.take_back_rows('marketplace_internal.emitted_events'), marketplace_internal.take_back_rows('marketplace_internal.unsent_events');
  end if;
end $$;

revoke all on marketplace_internal.emitted_events, marketplace_internal.unsent_events from public, anon, authenticated, service_role;

-- The events of one moment, in arrays of one length (of several, unnest is no function of pg_catalog). The first hundred of a transaction go to platform_events, the others wait. No joins
-- here: a plan is kept for the session, and what was planned for one event must do for a thousand.
create or replace function marketplace_internal.store_events(
  p_event_types text[], p_user_ids uuid[], p_session_ids text[], p_properties jsonb[], p_once text[],
  p_wait boolean, p_sqlstate text default null, p_error text default null
) returns integer
  language plpgsql volatile set search_path = '' as $$
declare
  -- Not now(): two events of one transaction are in the order in which they happened, and the funnel asks for it.
  happened constant timestamptz := pg_catalog.clock_timestamp();
  emitted_here constant text := pg_catalog.current_setting('marketplace.emitted_here', true); -- anybody may set it, to anything
  n constant integer := pg_catalog.cardinality(p_event_types) + case when emitted_here ~ '^\d{1,6}$' then emitted_here::integer else 0 end;
  keys constant bytea[] := array(
    select case when e.once is not null then
      pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.jsonb_build_array(e.event_type, e.once)::text, 'UTF8')) end
    from unnest(p_event_types, p_once) with ordinality e (event_type, once, place) order by e.place);
  new_keys bytea[] := '{}';
  stored integer;
begin
  if p_once <> array[null::text] then
    with new_ones as (
      insert into marketplace_internal.emitted_events (once, event_type)
      select k.key, k.event_type from unnest(keys, p_event_types) k (key, event_type) where k.key is not null
      on conflict do nothing returning once
    ) select pg_catalog.array_agg(o.once) into new_keys from new_ones o;
  end if;
  if p_wait or n > 100 then
    insert into marketplace_internal.unsent_events (event_type, user_id, session_id, properties, created_at, sqlstate, error, tries)
    select e.event_type, e.user_id, e.session_id, coalesce(e.properties, '{}'), happened + e.place * interval '1 microsecond',
      p_sqlstate, p_error, case when p_sqlstate is null then 0 else 1 end
    from unnest(p_event_types, p_user_ids, p_session_ids, p_properties, keys) with ordinality
      e (event_type, user_id, session_id, properties, key, place)
    where e.key is null or (e.key in (select pg_catalog.unnest(new_keys))) is true -- "is true" keeps it a look into a hash
    order by e.place;
    get diagnostics stored = row_count;
    return stored;
  end if;
  -- With its derived column, which the table's trigger would else write by an update: a fifth of the time.
  insert into public.platform_events (event_type, user_id, session_id, properties, created_at, actor_key)
  select e.event_type, e.user_id, e.session_id, coalesce(e.properties, '{}'), happened + e.place * interval '1 microsecond',
    events_internal.actor_key(e.user_id, e.session_id)
  from unnest(p_event_types, p_user_ids, p_session_ids, p_properties, keys) with ordinality
    e (event_type, user_id, session_id, properties, key, place)
  where e.key is null or (e.key in (select pg_catalog.unnest(new_keys))) is true
  order by e.place;
  get diagnostics stored = row_count;
  perform pg_catalog.set_config('marketplace.emitted_here', n::text, true);
  return stored;
end $$;
revoke all on function marketplace_internal.store_events(text[], uuid[], text[], jsonb[], text[], boolean, text, text)
  from public, anon, authenticated, service_role;
comment on function marketplace_internal.store_events(text[], uuid[], text[], jsonb[], text[], boolean, text, text) is
  'Stores events in this order, a microsecond apart, those with a once that were not there before; or has them wait. Returns how many. Raises what platform_events raises.';

-- What fails here fails inside a savepoint. Not caught: a cancel, and a statement timeout, which mean the whole statement.
create or replace function marketplace_internal.emit_event(
  p_event_type text, p_properties jsonb, p_user_id uuid, p_session_id text, p_once text
) returns boolean
  language plpgsql volatile security definer set search_path = '' as $$
declare
  state text;
  message text;
begin
  if p_event_type is null then
    raise exception 'an event has a type' using errcode = 'null_value_not_allowed';
  end if;
  begin
    return 0 < marketplace_internal.store_events(array[p_event_type], array[p_user_id], array[p_session_id], array[p_properties], array[p_once], false);
  exception when others then
    get stacked diagnostics state = returned_sqlstate, message = message_text;
  end;
  return 0 < marketplace_internal.store_events(
    array[p_event_type], array[p_user_id], array[p_session_id], array[p_properties], array[p_once], true, state, message);
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

-- Who a row is about: { user?, session?, guest?, booking? }, each the name of a column. `booking` refers to bookings, whose customer or
-- guest it then is. Of a row with a user the guest is not asked: a link to somebody's guest session would give their session away.
-- What is no uuid names no user and no guest of this database, and the event is nobody's: it counts, and no waiting would mend it.
create or replace function marketplace_internal.actor_of_row(p_row jsonb, p_actor jsonb, out user_id uuid, out session_id text)
  language plpgsql stable set search_path = '' as $$
declare
  booking jsonb;
  person text := p_row ->> (p_actor ->> 'user');
  guest text := p_row ->> (p_actor ->> 'guest');
  a_uuid constant text := '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$';
begin
  session_id := p_row ->> (p_actor ->> 'session');
  if person is null and session_id is null and guest is null and p_row ->> (p_actor ->> 'booking') is not null then
    -- The literal takes whatever type the platform's ids have.
    execute pg_catalog.format('select to_jsonb(b) from public.bookings b where b.id = %L', p_row ->> (p_actor ->> 'booking')) into booking;
    person := booking ->> 'customer_id';
    guest := booking ->> 'guest_session_id';
  end if;
  if person ~ a_uuid then
    user_id := person::uuid;
  end if;
  if session_id is null and person is null and guest ~ a_uuid then
    select coalesce(g.metadata ->> 'analytics_session_id', g.id::text) into session_id
    from public.guest_sessions g where g.id = guest::uuid;
  end if;
end $$;
revoke all on function marketplace_internal.actor_of_row(jsonb, jsonb) from public, anon, authenticated, service_role;
comment on function marketplace_internal.actor_of_row(jsonb, jsonb) is
  'The user of a row, else the session: the one the tracker gave the guest, else the guest session''s own id.';

-- One plan for a session: else it would be planned anew for each row, which took 0.4 ms.
-- p_attempt 1 stores, 2 lets wait, 3 lets wait without asking whose event it is, since that may be what failed.
create or replace function marketplace_internal.emit_rows(
  p_relation text, p_mapping jsonb, p_rows jsonb[], p_rows_before jsonb[], p_attempt integer, p_sqlstate text, p_error text
) returns void
  language plpgsql volatile set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  event_types text[];
  user_ids uuid[];
  session_ids text[];
  properties jsonb[];
  onces text[];
begin
  select pg_catalog.array_agg(e.event_type order by e.place, e.story), pg_catalog.array_agg(e.user_id order by e.place, e.story),
    pg_catalog.array_agg(e.session_id order by e.place, e.story), pg_catalog.array_agg(e.properties order by e.place, e.story),
    pg_catalog.array_agg(e.once order by e.place, e.story)
  into event_types, user_ids, session_ids, properties, onces
  from (
    select r.place, p.story, p.plan ->> 'event_type' as event_type, a.user_id, a.session_id,
      (
        select pg_catalog.jsonb_object_agg(v.name, v.value)
        from (
          select pg_catalog.rtrim(m.key, '?') as name, case
            when pg_catalog.jsonb_typeof(m.value) = 'string' then r.row_now -> (m.value #>> '{}')
            when m.value ? 'before' then r.row_before -> (m.value ->> 'before')
            when m.value ? 'length_of' then to_jsonb(coalesce(pg_catalog.length(r.row_now ->> (m.value ->> 'length_of')), 0))
            else coalesce(nullif(r.row_now -> (m.value ->> 'column'), 'null'), m.value -> 'else')
          end as value
          from pg_catalog.jsonb_each(p.plan -> 'properties') m
        ) v
        where v.value <> 'null'
      ) as properties,
      -- What is changed back and forth changes each time.
      case when not p.plan -> 'on' ? 'not_from' then p_relation || ':' || coalesce(r.row_now ->> (p_mapping ->> 'key'), '') end as once
    from unnest(p_rows, p_rows_before) with ordinality r (row_now, row_before, place)
    cross join pg_catalog.jsonb_array_elements(p_mapping -> 'plans') with ordinality p (plan, story)
    cross join lateral marketplace_internal.actor_of_row(r.row_now, case when p_attempt < 3 then p.plan -> 'actor' end) a
    where p.plan ? 'properties' and case
      when not p.plan -> 'on' ? 'column' then r.row_before is null
      when r.row_now ->> (p.plan #>> '{on,column}') is not distinct from r.row_before ->> (p.plan #>> '{on,column}') then false
      when p.plan -> 'on' ? 'becomes' then r.row_now ->> (p.plan #>> '{on,column}') = p.plan #>> '{on,becomes}'
      else r.row_before ->> (p.plan #>> '{on,column}') <> p.plan #>> '{on,not_from}'
    end
  ) e;
  if event_types is not null then
    perform marketplace_internal.store_events(event_types, user_ids, session_ids, properties, onces, p_attempt > 1, p_sqlstate, p_error);
  end if;
end $$;
revoke all on function marketplace_internal.emit_rows(text, jsonb, jsonb[], jsonb[], integer, text, text) from public, anon, authenticated, service_role;
comment on function marketplace_internal.emit_rows(text, jsonb, jsonb[], jsonb[], integer, text, text) is
  'Emits what a mapping makes of rows, each with its row before (null: inserted): row after row, those of one row in the order of the mapping.';

-- Definer: whoever writes the row, a guest as anon too, has no right here. One savepoint a statement, so that no booking is lost by its
-- event. Rows come in parts of a thousand, so that a statement of millions needs no memory for all of them; and with no join of the rows
-- before and after, whose kept plan may be one for a single row.
create or replace function marketplace_internal.emit_events_of_statement() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  relation constant text := tg_table_schema || '.' || tg_table_name;
  mapping constant jsonb := tg_argv[0];
  part record;
  state text;
  message text;
begin
  for attempt in 1..3 loop
    begin
      if tg_op = 'INSERT' then
        for part in
          select pg_catalog.array_agg(r.row_now) as rows_now, array[]::jsonb[] as rows_before
          from (select to_jsonb(n) as row_now, (pg_catalog.row_number() over () - 1) / 1000 as part from rows_now n) r
          group by r.part order by r.part
        loop
          perform marketplace_internal.emit_rows(relation, mapping, part.rows_now, part.rows_before, attempt, state, message);
        end loop;
      else
        for part in
          select pg_catalog.array_agg(r.row_now) as rows_now, pg_catalog.array_agg(r.row_before) as rows_before
          from (
            select p.row_now, p.row_before, (pg_catalog.row_number() over () - 1) / 1000 as part
            from (
              select (pg_catalog.array_agg(b.content) filter (where b.is_new))[1] as row_now,
                (pg_catalog.array_agg(b.content) filter (where not b.is_new))[1] as row_before
              from (select to_jsonb(n) as content, true as is_new from rows_now n union all select to_jsonb(o), false from rows_before o) b
              group by b.content ->> (mapping ->> 'key')
            ) p
            where p.row_now <> p.row_before
          ) r
          group by r.part order by r.part
        loop
          perform marketplace_internal.emit_rows(relation, mapping, part.rows_now, part.rows_before, attempt, state, message);
        end loop;
      end if;
      return null;
    exception when others then
      get stacked diagnostics state = returned_sqlstate, message = message_text;
    end;
  end loop;
  raise warning 'no events of %: %', relation, message using errcode = state;
  return null;
end $$;
revoke all on function marketplace_internal.emit_events_of_statement() from public, anon, authenticated, service_role;
comment on function marketplace_internal.emit_events_of_statement() is
  'Trigger function of emit_events_of: ({ key, plans: [{ event_type, properties, actor, on, is_default }] }).';

create or replace function marketplace_internal.event_mappings(p_relation regclass) returns table (key text, story bigint, plan jsonb)
  language sql stable set search_path = '' as $$
    select distinct m.mapping ->> 'key', p.story, p.plan
    from pg_catalog.pg_trigger t
    -- One argument, as it is, and a zero byte after it.
    cross join lateral (select pg_catalog.convert_from(pg_catalog.substring(t.tgargs, 1, pg_catalog.octet_length(t.tgargs) - 1),
      pg_catalog.getdatabaseencoding())::jsonb as mapping) m
    cross join lateral pg_catalog.jsonb_array_elements(m.mapping -> 'plans') with ordinality p (plan, story)
    where t.tgrelid = p_relation and t.tgfoid = pg_catalog.to_regprocedure('marketplace_internal.emit_events_of_statement()') and t.tgnargs = 1
  $$;
revoke all on function marketplace_internal.event_mappings(regclass) from public, anon, authenticated, service_role;
comment on function marketplace_internal.event_mappings(regclass) is
  'What a table emits, as its triggers have it. Example: select plan ->> ''event_type'' from marketplace_internal.event_mappings(''bookings'')';

create or replace function marketplace_internal.emit_events_of(
  p_relation regclass, p_event_type text, p_properties jsonb, p_actor jsonb default '{}', p_on jsonb default '{}', p_key text default 'id',
  p_is_default boolean default false
) returns void
  language plpgsql volatile set search_path = '' as $$
declare
  -- What happens to one row at once is emitted in this order; what is not here, after that.
  usual_order constant text[] := array['SearchStarted', 'ProfessionalViewed', 'LeadReceived', 'LeadAccepted', 'LeadDeclined', 'CheckoutStarted',
    'PaymentAttempted', 'BookingConfirmed', 'JobStatusChanged', 'Cancellation', 'ReviewSubmitted', 'PayoutInitiated', 'DisputeOpened', 'DisputeResolved'];
  column_names constant text[] := array(
    select a.attname::text from pg_catalog.pg_attribute a where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped);
  columns_needed constant text[] := array(
    select case pg_catalog.jsonb_typeof(m.value) when 'string' then m.value #>> '{}'
      else coalesce(m.value ->> 'column', m.value ->> 'before', m.value ->> 'length_of') end
    from pg_catalog.jsonb_each(p_properties) m where m.key not like '%?'
    union all select p_key
    union all select p_on ->> 'column' where p_on ? 'column');
  columns_lacking constant text[] := array(select n from pg_catalog.unnest(columns_needed) n where n <> all (column_names));
  plan constant jsonb := pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('event_type', p_event_type, 'actor', p_actor, 'on', p_on,
    'is_default', nullif(p_is_default, false))) || case when p_properties is null then '{}' else pg_catalog.jsonb_build_object('properties', p_properties) end;
  mappings jsonb;
  mapping jsonb;
  wanted name[] := '{}';
  superfluous name;
begin
  if columns_lacking <> '{}' then
    raise exception '% has no column %', p_relation, pg_catalog.array_to_string(columns_lacking, ', ') using errcode = 'undefined_column',
      hint = 'Map the platform''s own columns: select marketplace_internal.emit_events_of(…).';
  end if;
  if p_properties is not null and not exists (select from pg_catalog.jsonb_each_text(p_actor) a where a.value = any (column_names)) then
    raise exception '% has none of the columns of %, so that nobody knows whose event it would be', p_relation, p_actor using errcode = 'undefined_column';
  end if;
  -- All of a table by one trigger an operation: they share its savepoint, and their order.
  mappings := (
    select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('key', k.key, 'plans', k.plans))
    from (
      select o.key, pg_catalog.jsonb_agg(o.plan order by pg_catalog.array_position(usual_order, o.plan ->> 'event_type'), o.story) as plans
      from (
        select m.key, m.story, m.plan from marketplace_internal.event_mappings(p_relation) m where m.plan ->> 'event_type' <> p_event_type
        union all select p_key, null, plan
      ) o
      group by o.key
    ) k);
  for mapping in select m.value from pg_catalog.jsonb_array_elements(mappings) m loop
    if pg_catalog.jsonb_path_exists(mapping, '$.plans[*] ? (!exists(@.on.not_from))') then
      wanted := wanted || ('emit_on_insert_by_' || (mapping ->> 'key'))::name;
      execute pg_catalog.format('create or replace trigger %I after insert on %s referencing new table as rows_now
        for each statement execute function marketplace_internal.emit_events_of_statement(%L)', wanted[pg_catalog.cardinality(wanted)], p_relation, mapping);
    end if;
    if pg_catalog.jsonb_path_exists(mapping, '$.plans[*].on.column') then
      wanted := wanted || ('emit_on_update_by_' || (mapping ->> 'key'))::name;
      execute pg_catalog.format('create or replace trigger %I after update on %s referencing old table as rows_before new table as rows_now
        for each statement execute function marketplace_internal.emit_events_of_statement(%L)', wanted[pg_catalog.cardinality(wanted)], p_relation, mapping);
    end if;
  end loop;
  for superfluous in
    select t.tgname from pg_catalog.pg_trigger t
    where t.tgrelid = p_relation and t.tgfoid = 'marketplace_internal.emit_events_of_statement()'::regprocedure and t.tgname <> all (wanted)
  loop
    execute pg_catalog.format('drop trigger %I on %s', superfluous, p_relation);
  end loop;
end $$;
revoke all on function marketplace_internal.emit_events_of(regclass, text, jsonb, jsonb, jsonb, text, boolean) from public, anon, authenticated, service_role;
comment on function marketplace_internal.emit_events_of(regclass, text, jsonb, jsonb, jsonb, text, boolean) is
  'Has the rows of a table emit an event. p_properties: property to column (a name with ? may lack its column; { "length_of": c }, '
  '{ "before": c } of an update, { "column": c, "else": v }, { "else": v }); what is null is left out; null instead of all: no longer. '
  'p_actor: { user, session, guest, booking }: columns. p_on: {} is an insert, { column, becomes } when a column takes a value, by insert or '
  'update, each once for a row; { column, not_from } each change but from that value. p_key: the unique column by which a row is known before '
  'and after. What the platform maps stays when this file is run again. For the login that migrates. Raises 42703 where a column is not there. '
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
      -- What the platform mapped itself stays.
      continue when exists (
        select from marketplace_internal.event_mappings(own.relation::regclass) m
        where m.plan ->> 'event_type' = own.event_type and m.plan -> 'is_default' is null);
      perform marketplace_internal.emit_events_of(
        own.relation::regclass, own.event_type, own.properties::jsonb, own.actor::jsonb, own.happens::jsonb, 'id', true);
    exception when undefined_column or undefined_table or insufficient_privilege or wrong_object_type then
      raise notice '% is not emitted: %', own.event_type, sqlerrm
        using hint = 'select marketplace_internal.emit_events_of(…) maps the platform''s own table.';
    end;
  end loop;
end $$;
