-- Bookings of guests: a booking has a customer or a guest session, a guest reaches those of their own session, and at the sign-up they
-- become the account's, together with what the session did in the analytics.
--
-- All of it is one transaction, which holds bookings from the first line that changes it to the last. Adding the column and letting
-- customer_id be null are entries in the catalog; the index, the foreign key and the CHECK read the table. Where it is so large (ten millions
-- and more) that nobody may wait for that, make these by hand beforehand, under these names; this file finds them and only looks:
--   alter table public.bookings add column guest_session_id uuid;
--   create index concurrently bookings_guest_session_id_idx on public.bookings (guest_session_id) where guest_session_id is not null;
--   alter table public.bookings add constraint bookings_customer_or_guest check (customer_id is not null or guest_session_id is not null) not valid;
--   alter table public.bookings validate constraint bookings_customer_or_guest;
-- The foreign key is then proved by that index, which has no entry yet.

create schema if not exists marketplace_internal;
revoke all on schema marketplace_internal from public, anon, authenticated;

do $$
declare
  missing text;
begin
  select string_agg(c.name, ', ') into missing
  from (values ('customer_id')) c (name)
  where to_regclass('public.bookings') is not null and not exists (
    select from pg_attribute a where a.attrelid = to_regclass('public.bookings') and a.attname = c.name and not a.attisdropped);
  if to_regclass('public.bookings') is null or missing is not null then
    raise exception 'public.bookings is missing%', coalesce(', or its ' || missing, '')
      using errcode = 'undefined_table', hint = 'The platform brings it; for development 0001_ground.sql makes a minimal form (--development).';
  end if;
  if to_regclass('public.guest_sessions') is null or to_regprocedure('marketplace_internal.guest_session_of_request()') is null then
    raise exception 'public.guest_sessions is missing' using errcode = 'undefined_table', hint = 'Apply 0003_guest_sessions.sql first.';
  end if;
  -- Without it our policies would bind nobody, and our grants would open the table to everybody.
  if not (select relrowsecurity from pg_class where oid = 'public.bookings'::regclass) then
    raise exception 'public.bookings has no row level security' using errcode = 'object_not_in_prerequisite_state',
      hint = 'Write its policies, then: alter table public.bookings enable row level security.';
  end if;
end $$;

-- Everybody who comes while we wait for a long query on the table would wait behind us: so not for long, and often.
do $$
declare
  usual_lock_timeout constant text := current_setting('lock_timeout');
begin
  perform set_config('lock_timeout', '300ms', true);
  for attempt in 1..60 loop
    begin
      -- The foreign key wants the second; in the order in which a checkout takes them.
      lock table public.bookings in access exclusive mode;
      lock table public.guest_sessions in share row exclusive mode;
      exit;
    exception when lock_not_available then
      if attempt = 60 then
        raise exception 'public.bookings is in use: a transaction of somebody''s holds it' using errcode = 'lock_not_available',
          hint = 'Look in pg_stat_activity for what runs long, and migrate again. Nothing was changed.';
      end if;
      perform pg_sleep(0.5);
    end;
  end loop;
  perform set_config('lock_timeout', usual_lock_timeout, true);
end $$;

-- What the table was like before, so that the rollback gives back what was there and takes away what is ours alone.
create table if not exists marketplace_internal.bookings_before_guests (
  only_row boolean primary key default true check (only_row),
  customer_not_null boolean not null,
  had_guest_session_id boolean not null,
  granted jsonb not null default '[]',
  without_select text[] not null default '{}'
);
comment on table marketplace_internal.bookings_before_guests is 'public.bookings before 0004_guest_bookings.sql, for its rollback.';
comment on column marketplace_internal.bookings_before_guests.granted is 'What of grants that file added: [{ "role": "anon", "verb": "select", "column": "id" }, …].';
comment on column marketplace_internal.bookings_before_guests.without_select is 'The API''s roles that could read nothing of the table before.';
revoke all on marketplace_internal.bookings_before_guests from public, anon, authenticated, service_role;
insert into marketplace_internal.bookings_before_guests (customer_not_null, had_guest_session_id)
select
  (select a.attnotnull from pg_attribute a where a.attrelid = 'public.bookings'::regclass and a.attname = 'customer_id' and not a.attisdropped),
  exists (select from pg_attribute a where a.attrelid = 'public.bookings'::regclass and a.attname = 'guest_session_id' and not a.attisdropped)
on conflict do nothing;

alter table public.bookings add column if not exists guest_session_id uuid;
alter table public.bookings alter column customer_id drop not null;
comment on column public.bookings.guest_session_id is 'The guest who made it; null once they have signed up, for then it has a customer.';

-- Links that a rollback put aside come back, where the booking and the guest are there still and nobody has it yet.
do $$
declare
  key_column name;
begin
  if to_regclass('marketplace_archive.bookings_guest_session_ids') is null then return; end if;
  select a.attname into key_column
  from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
  where i.indrelid = 'public.bookings'::regclass and i.indisprimary and i.indnkeyatts = 1;
  execute format(
    'update public.bookings b set guest_session_id = a.guest_session_id from marketplace_archive.bookings_guest_session_ids a
     where b.%I::text = a.booking_key and b.guest_session_id is null
       and exists (select from public.guest_sessions g where g.id = a.guest_session_id)', key_column);
  execute format(
    'delete from marketplace_archive.bookings_guest_session_ids a
     where exists (select from public.bookings b where b.%I::text = a.booking_key and b.guest_session_id = a.guest_session_id)', key_column);
  if not exists (select from marketplace_archive.bookings_guest_session_ids) then
    drop table marketplace_archive.bookings_guest_session_ids;
  end if;
end $$;

create index if not exists bookings_guest_session_id_idx on public.bookings (guest_session_id) where guest_session_id is not null;
do $$
declare
  of_nobody bigint;
begin
  if not exists (select from pg_constraint where conrelid = 'public.bookings'::regclass and conname = 'bookings_guest_session_id_fkey') then
    alter table public.bookings add constraint bookings_guest_session_id_fkey
      foreign key (guest_session_id) references public.guest_sessions (id) not valid;
  end if;
  alter table public.bookings validate constraint bookings_guest_session_id_fkey;
  if not exists (select from pg_constraint where conrelid = 'public.bookings'::regclass and conname = 'bookings_customer_or_guest') then
    alter table public.bookings add constraint bookings_customer_or_guest check (customer_id is not null or guest_session_id is not null) not valid;
  end if;
  begin
    alter table public.bookings validate constraint bookings_customer_or_guest;
  exception when check_violation then
    select count(*) into of_nobody from public.bookings where customer_id is null and guest_session_id is null;
    raise exception '% bookings have neither a customer nor a guest session', of_nobody using errcode = 'check_violation',
      hint = 'Give them a customer_id first: select * from public.bookings where customer_id is null.';
  end;
end $$;

-- The platform's own policies stay as they are. Permissive policies add up, so what ours admit must be the guest's own rows and nothing else,
-- for whoever carries the token. And `customer_id` may be null from now on, which a policy of the platform's may not have reckoned with
-- (`customer_id is not distinct from auth.uid()` would show anon all bookings of guests): hence the restrictive one, which only takes away.
drop policy if exists "A guest reads the bookings of their session" on public.bookings;
create policy "A guest reads the bookings of their session" on public.bookings
  for select to anon, authenticated
  using (customer_id is null and guest_session_id = (select marketplace_internal.guest_session_of_request()));
drop policy if exists "A guest books for their session" on public.bookings;
create policy "A guest books for their session" on public.bookings
  for insert to anon, authenticated
  with check (customer_id is null and guest_session_id = (select marketplace_internal.guest_session_of_request()));
drop policy if exists "Without its token a guest's booking is out of reach" on public.bookings;
create policy "Without its token a guest's booking is out of reach" on public.bookings as restrictive
  for all to anon
  using (guest_session_id is null or (customer_id is null and guest_session_id = (select marketplace_internal.guest_session_of_request())))
  with check (guest_session_id is null or (customer_id is null and guest_session_id = (select marketplace_internal.guest_session_of_request())));

-- A professional must see and change the guest's booking that is theirs to do, so `authenticated` is bound in this alone: who books with a
-- session of somebody else's would tie that session to themselves. A policy does not see what a row was like before: hence a trigger for updates.
drop policy if exists "Nobody books with the session of another guest" on public.bookings;
create policy "Nobody books with the session of another guest" on public.bookings as restrictive
  for insert to authenticated
  with check (guest_session_id is null or (customer_id is null and guest_session_id = (select marketplace_internal.guest_session_of_request())));

create or replace function marketplace_internal.guard_guest_link() returns trigger
  language plpgsql volatile security invoker set search_path = '' as $$
begin
  -- Nor the login that owns the table, which may be a member of these roles so that the service can take them on.
  if not pg_catalog.pg_has_role(current_user, 'service_role', 'usage')
    and not pg_catalog.pg_has_role(current_user, (select c.relowner from pg_catalog.pg_class c where c.oid = tg_relid), 'usage')
    and (pg_catalog.pg_has_role(current_user, 'authenticated', 'usage') or pg_catalog.pg_has_role(current_user, 'anon', 'usage'))
  then
    raise exception 'a booking is given to a guest session by the service alone' using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
revoke all on function marketplace_internal.guard_guest_link() from public, anon, authenticated, service_role;
comment on function marketplace_internal.guard_guest_link() is 'Trigger function: over the API no booking is given to a guest session, or to another one, by an update.';
create or replace trigger guard_guest_link before update on public.bookings
  for each row when (new.guest_session_id is not null and new.guest_session_id is distinct from old.guest_session_id)
  execute function marketplace_internal.guard_guest_link();

-- A foreign key ON DELETE SET NULL of customer_id would meet our CHECK, and the account could not be deleted any more. Only inside of another
-- trigger, as a foreign key's action is: a statement that takes the customer away by mistake is to fail.
create or replace function marketplace_internal.keep_orphaned_booking() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
begin
  new.guest_session_id := marketplace_internal.guest_session_of_nobody();
  return new;
end $$;
revoke all on function marketplace_internal.keep_orphaned_booking() from public, anon, authenticated, service_role;
comment on function marketplace_internal.keep_orphaned_booking() is 'Trigger function: a booking whose customer was deleted is nobody''s.';
create or replace trigger keep_orphaned_booking before update on public.bookings
  for each row when (old.customer_id is not null and new.customer_id is null and new.guest_session_id is null and pg_catalog.pg_trigger_depth() > 0)
  execute function marketplace_internal.keep_orphaned_booking();

-- What a guest needs, by columns and never the whole table: the state, the sums and the times of a booking are the platform's to write, and its
-- other columns (an address, somebody's phone) its own to show. Where a role has rights on single columns already the platform has chosen
-- them: then it gets the new column alone. Where it could read nothing before, a policy of the platform's TO public may say true, since it
-- opened nothing to that role: the restrictive policy keeps the role to its own guest's rows. Not any more once the platform lets the role
-- read: it is told by customer_id, which we never grant.
do $$
declare
  readable constant text[] := array['id', 'guest_session_id', 'professional_id', 'service', 'city', 'status', 'subtotal', 'total', 'deposit_type',
    'deposit_captured', 'created_at'];
  writable constant text[] := array['guest_session_id', 'professional_id', 'service', 'city', 'subtotal', 'deposit_type', 'notes'];
  api_role text;
  verb text;
  had_some boolean;
  granted_column name;
  closed text;
begin
  foreach api_role in array array['anon', 'authenticated'] loop
    foreach verb in array array['select', 'insert'] loop
      continue when has_column_privilege(api_role, 'public.bookings', 'guest_session_id', verb);
      had_some := has_any_column_privilege(api_role, 'public.bookings', verb);
      if verb = 'select' and not had_some then
        update marketplace_internal.bookings_before_guests b set without_select = b.without_select || api_role where b.only_row;
      end if;
      for granted_column in
        select a.attname from pg_attribute a
        where a.attrelid = 'public.bookings'::regclass and a.attnum > 0 and not a.attisdropped
          and a.attname = any (case when had_some then array['guest_session_id'] when verb = 'select' then readable else writable end)
        order by a.attnum
      loop
        execute format('grant %s (%I) on public.bookings to %I', verb, granted_column, api_role);
        update marketplace_internal.bookings_before_guests b
        set granted = b.granted || jsonb_build_object('role', api_role, 'verb', verb, 'column', granted_column) where b.only_row;
      end loop;
    end loop;
  end loop;

  drop policy if exists "A guest sees nothing else" on public.bookings;
  select string_agg(quote_ident(r), ', ' order by r) into closed from marketplace_internal.bookings_before_guests b, unnest(b.without_select) r;
  if closed is not null then
    execute format(
      'create policy "A guest sees nothing else" on public.bookings as restrictive for select to %s
       using ((select has_column_privilege(''public.bookings''::regclass, ''customer_id'', ''select''))
         or (customer_id is null and guest_session_id = (select marketplace_internal.guest_session_of_request())))', closed);
  end if;
end $$;

-- p_caller is whom the public function was called as; this one is called by nothing else, since API roles have no way into the schema.
create or replace function marketplace_internal.convert_guest_to_user(p_caller name, p_guest_session_id uuid, p_user_id uuid) returns integer
  language plpgsql volatile security definer set search_path = '' as $$
declare
  -- A service has looked who the guest is; everybody else must be the user and hold the session's token, because ids travel (in events, in
  -- links) and are no secret. Here current_user is the function's owner.
  proves constant boolean := not (pg_catalog.pg_has_role(p_caller, 'service_role', 'usage') or pg_catalog.pg_has_role(p_caller, current_user, 'usage'));
  -- The session of nobody, which bookings of forgotten people have.
  nobody constant uuid := '00000000-0000-4000-8000-000000000000';
  token constant text := case when proves then marketplace_internal.guest_token_of_request() end;
  guest public.guest_sessions;
  moved integer;
  violated text;
begin
  if p_user_id is null or (proves and p_user_id is distinct from (select auth.uid())) then
    raise exception 'a guest session is converted to the account that asks' using errcode = 'insufficient_privilege';
  end if;
  -- The token stands in the condition, so that a stolen id does not even lock a row.
  select g.* into guest from public.guest_sessions g
  where g.id = p_guest_session_id and g.id <> nobody and (not proves or g.session_token = token) for update;

  if guest.metadata ->> 'converted_to_user_id' <> p_user_id::text then
    raise exception 'this guest session belongs to another account already' using errcode = 'PE409';
  end if;
  if guest.id is null or (proves and guest.expires_at <= now() and (guest.metadata ? 'converted_to_user_id') is not true) then
    raise exception 'there is no such guest session, or it is over' using errcode = 'PE401',
      hint = 'A signed-in user sends the token of a live session in the header x-guest-session-token.';
  end if;
  -- Locked as a foreign key would, so that the account is not forgotten while it gets what is a guest's (0006_personal_data.sql).
  perform from auth.users u where u.id = p_user_id and u.deleted_at is null for key share;
  if not found then
    raise exception 'there is no such user' using errcode = 'foreign_key_violation', schema = 'auth', table = 'users';
  end if;

  begin
    -- Also where it is converted already: somebody may have written the link since.
    update public.bookings b set customer_id = p_user_id, guest_session_id = null
    where b.guest_session_id = guest.id and b.customer_id is null;
    get diagnostics moved = row_count;
  exception when foreign_key_violation then
    get stacked diagnostics violated = constraint_name;
    if exists (
      select from pg_catalog.pg_constraint c
      join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey) and a.attname = 'customer_id'
      where c.conrelid = 'public.bookings'::regclass and c.conname = violated and c.confrelid <> 'auth.users'::regclass
    ) then
      raise exception 'the platform has no customer of this user' using errcode = 'PE422', constraint = violated,
        hint = 'Bookings refer to a table of customers. Make the user''s row there, then ask again.';
    end if;
    raise;
  end;
  moved := moved + coalesce((guest.metadata ->> 'converted_bookings')::integer, 0);
  update public.guest_sessions g
  set metadata = coalesce(g.metadata, '{}') || pg_catalog.jsonb_build_object('converted_to_user_id', p_user_id, 'converted_bookings', moved,
    'converted_at', coalesce(guest.metadata -> 'converted_at', to_jsonb(now())))
  where g.id = guest.id;
  if (guest.metadata ? 'converted_to_user_id') is not true then
    perform marketplace_internal.emit_guest_converted(guest, p_user_id);
  end if;
  return moved;
end $$;
revoke all on function marketplace_internal.convert_guest_to_user(name, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function marketplace_internal.convert_guest_to_user(name, uuid, uuid) to authenticated, service_role;
comment on function marketplace_internal.convert_guest_to_user(name, uuid, uuid) is
  'Body of convert_guest_to_user(); returns how many bookings this session brought the account, the same when asked again. '
  'Example: select marketplace_internal.convert_guest_to_user(''service_role'', ''…'', ''…'')';

-- An event with both is what the core learns a session's user by (its earliest such event decides, so a session that is somebody's already
-- stays theirs). A guest's events have the tracker's session, or, where the server knew none, the guest session's own id. Where both were used
-- the second event has another name, so that GuestConverted counts sign-ups.
create or replace function marketplace_internal.emit_guest_converted(p_guest public.guest_sessions, p_user_id uuid) returns void
  language plpgsql volatile set search_path = '' as $$
declare
  tracked constant text := p_guest.metadata ->> 'analytics_session_id';
  about constant jsonb := pg_catalog.jsonb_build_object('guest_session_id', p_guest.id);
begin
  perform marketplace_internal.emit_guest_event('GuestConverted', about, p_user_id, coalesce(tracked, p_guest.id::text));
  if tracked <> p_guest.id::text and exists (
    select from public.platform_events e where e.session_id = p_guest.id::text and e.created_at >= p_guest.created_at - interval '1 day'
  ) then
    perform marketplace_internal.emit_guest_event('GuestSessionLinked', about, p_user_id, p_guest.id::text);
  end if;
end $$;
revoke all on function marketplace_internal.emit_guest_converted(public.guest_sessions, uuid) from public, anon, authenticated, service_role;
comment on function marketplace_internal.emit_guest_converted(public.guest_sessions, uuid) is 'The events that give a guest''s sessions to the user.';

-- By emit_event() where 0007_server_events.sql is: then an event that cannot be stored waits. Without, it is lost with a warning.
create or replace function marketplace_internal.emit_guest_event(p_event_type text, p_properties jsonb, p_user_id uuid, p_session_id text) returns void
  language plpgsql volatile set search_path = '' as $$
begin
  if pg_catalog.to_regprocedure('marketplace_internal.emit_event(text, jsonb, uuid, text, text)') is not null then
    perform marketplace_internal.emit_event(p_event_type, p_properties, p_user_id, p_session_id, null);
    return;
  end if;
  insert into public.platform_events (event_type, user_id, session_id, properties, created_at)
  values (p_event_type, p_user_id, p_session_id, p_properties, pg_catalog.clock_timestamp());
exception when others then
  raise warning 'no % of %: %', p_event_type, p_session_id, sqlerrm using errcode = sqlstate;
end $$;
revoke all on function marketplace_internal.emit_guest_event(text, jsonb, uuid, text) from public, anon, authenticated, service_role;
comment on function marketplace_internal.emit_guest_event(text, jsonb, uuid, text) is 'Stores an event of a conversion, which is not undone where that fails.';

-- Who signs up in the middle of a checkout: the booking comes in while the session is converted, or just after. Or it was replaced by another,
-- which has its bookings now (POST /api/guest/session with the token). Key share is the lock that the foreign key takes anyway; it waits for
-- either, and then reads what that has written. After the insert, because the guest's policy is asked about the row as it is before; the rows
-- are found by their session, for the key of the platform's table is its own.
create or replace function marketplace_internal.follow_converted_guest() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  goal uuid := new.guest_session_id;
  successor uuid;
  account uuid;
begin
  loop
    select (g.metadata ->> 'moved_to')::uuid into successor from public.guest_sessions g where g.id = goal for key share;
    exit when successor is null or not exists (select from public.guest_sessions g where g.id = successor);
    goal := successor;
  end loop;
  select u.id into account
  from public.guest_sessions g join auth.users u on u.id = (g.metadata ->> 'converted_to_user_id')::uuid and u.deleted_at is null
  where g.id = goal for key share;
  if account is not null then
    update public.bookings b set customer_id = account, guest_session_id = null
    where b.guest_session_id = new.guest_session_id and b.customer_id is null;
  elsif goal <> new.guest_session_id then
    update public.bookings b set guest_session_id = goal
    where b.guest_session_id = new.guest_session_id and b.customer_id is null;
  end if;
  return null;
end $$;
revoke all on function marketplace_internal.follow_converted_guest() from public, anon, authenticated, service_role;
comment on function marketplace_internal.follow_converted_guest() is
  'Trigger function: a booking for a session that is converted, or replaced, is the account''s, or the new session''s.';
create or replace trigger follow_converted_guest after insert on public.bookings
  for each row when (new.guest_session_id is not null and new.customer_id is null)
  execute function marketplace_internal.follow_converted_guest();

create or replace function public.convert_guest_to_user(p_guest_session_id uuid, p_user_id uuid) returns void
  language sql volatile security invoker set search_path = ''
begin atomic
  select marketplace_internal.convert_guest_to_user(current_user, p_guest_session_id, p_user_id);
end;
revoke all on function public.convert_guest_to_user(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function public.convert_guest_to_user(uuid, uuid) to authenticated, service_role;
comment on function public.convert_guest_to_user(uuid, uuid) is
  'Makes a guest''s bookings, and what the guest did in the analytics, the user''s; marks the session (metadata: converted_to_user_id, converted_at), '
  'whose token opens nothing from then on. Asked again for the same user it changes nothing. A signed-in user may ask for themselves, with the token of '
  'the live session in the header x-guest-session-token; service_role for anybody, also when the session has expired. Errors of a class of our own: '
  'PE409 another account has it already; PE401 no such session, or not this token; PE422 bookings refer to customers, and the user is none yet. '
  '42501: not the caller''s account; 23503: no such user. '
  'Example: select convert_guest_to_user(''…guest session…'', ''…user…'')';
