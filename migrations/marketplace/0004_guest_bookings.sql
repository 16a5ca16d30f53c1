-- Bookings of guests: a booking has a customer or a guest session, a guest reaches those of their own session, and at the sign-up they
-- become the account's, together with what the session did in the analytics.

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

-- What the table was like before, so that the rollback gives back what was there and takes away what is ours alone.
create table if not exists marketplace_internal.bookings_before_guests (
  only_row boolean primary key default true check (only_row),
  customer_not_null boolean not null,
  had_guest_session_id boolean not null,
  granted text[] not null default '{}'
);
comment on table marketplace_internal.bookings_before_guests is 'public.bookings before 0004_guest_bookings.sql, for its rollback; granted: what of grants that added.';
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

do $$
declare
  of_nobody bigint;
begin
  if not exists (select from pg_constraint where conrelid = 'public.bookings'::regclass and conname = 'bookings_guest_session_id_fkey') then
    alter table public.bookings add constraint bookings_guest_session_id_fkey foreign key (guest_session_id) references public.guest_sessions (id);
  end if;
  if not exists (select from pg_constraint where conrelid = 'public.bookings'::regclass and conname = 'bookings_customer_or_guest') then
    select count(*) into of_nobody from public.bookings where customer_id is null and guest_session_id is null;
    if of_nobody > 0 then
      raise exception '% bookings have neither a customer nor a guest session', of_nobody using errcode = 'check_violation',
        hint = 'Give them a customer_id first: select * from public.bookings where customer_id is null.';
    end if;
    alter table public.bookings add constraint bookings_customer_or_guest check (customer_id is not null or guest_session_id is not null);
  end if;
end $$;
create index if not exists bookings_guest_session_id_idx on public.bookings (guest_session_id) where guest_session_id is not null;

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

-- Where a role has rights on single columns the platform has chosen them: then it gets the new column alone.
do $$
declare
  api_role text;
  verb text;
  what text;
begin
  foreach api_role in array array['anon', 'authenticated'] loop
    foreach verb in array array['select', 'insert'] loop
      if has_column_privilege(api_role, 'public.bookings', 'guest_session_id', verb) then
        continue;
      end if;
      what := verb || case when has_any_column_privilege(api_role, 'public.bookings', verb) then ' (guest_session_id)' else '' end;
      execute format('grant %s on public.bookings to %I', what, api_role);
      update marketplace_internal.bookings_before_guests b set granted = b.granted || format('%s on public.bookings from %I', what, api_role)
      where b.only_row;
    end loop;
  end loop;
end $$;

-- The sessions that a browser has had for one email: each ends the one before (POST /api/guest/session), and a sign-up means them all.
create or replace function marketplace_internal.guest_sessions_of_browser(p_guest_session_id uuid) returns setof uuid
  language sql stable set search_path = '' as $$
    select g.id from public.guest_sessions g where g.id = p_guest_session_id
    union
    select earlier.id from public.guest_sessions g
    join public.guest_sessions earlier on earlier.email = g.email and earlier.metadata ->> 'device' = g.metadata ->> 'device'
    where g.id = p_guest_session_id and g.metadata ->> 'device' is not null
  $$;
revoke all on function marketplace_internal.guest_sessions_of_browser(uuid) from public, anon, authenticated, service_role;
comment on function marketplace_internal.guest_sessions_of_browser(uuid) is
  'This guest session, and those of the same email and device. Example: select * from marketplace_internal.guest_sessions_of_browser(''…'')';

-- p_caller is whom the public function was called as; this one is called by nothing else, since API roles have no way into the schema.
create or replace function marketplace_internal.convert_guest_to_user(p_caller name, p_guest_session_id uuid, p_user_id uuid) returns integer
  language plpgsql volatile security definer set search_path = '' as $$
declare
  -- A service has looked who the guest is; a user must hold the session's token, because ids travel (in events, in links) and are no secret.
  proves constant boolean := p_caller in ('anon', 'authenticated');
  -- The session of nobody, which bookings of forgotten people have (0006_personal_data.sql).
  nobody constant uuid := '00000000-0000-4000-8000-000000000000';
  token constant text := case when proves then marketplace_internal.guest_token_of_request() end;
  ids uuid[];
  guest public.guest_sessions;
  moved integer;
  total integer := 0;
begin
  if p_user_id is null or (proves and p_user_id is distinct from (select auth.uid())) then
    raise exception 'a guest session is converted to the account that asks' using errcode = 'insufficient_privilege';
  end if;
  -- The token stands in the condition, so that a stolen id does not even lock a row. Locked by id, so that two at once wait for each other.
  if exists (
    select from public.guest_sessions g
    where g.id = p_guest_session_id and g.id <> nobody and (not proves or g.session_token = token)
  ) then
    ids := array(select b.id from marketplace_internal.guest_sessions_of_browser(p_guest_session_id) b (id));
    perform from public.guest_sessions g where g.id = any (ids) order by g.id for update;
    select g.* into guest from public.guest_sessions g where g.id = p_guest_session_id;
  end if;

  if guest.metadata ->> 'converted_to_user_id' <> p_user_id::text then
    raise exception 'this guest session belongs to another account already' using errcode = 'PE409';
  end if;
  if guest.id is null or (proves and guest.expires_at <= now() and (guest.metadata ? 'converted_to_user_id') is not true) then
    raise exception 'there is no such guest session, or it is over' using errcode = 'PE401',
      hint = 'A signed-in user sends the token of a live session in the header x-guest-session-token.';
  end if;
  if not exists (select from auth.users u where u.id = p_user_id and u.deleted_at is null) then
    raise exception 'there is no such user' using errcode = 'foreign_key_violation';
  end if;

  for guest in
    select g.* from public.guest_sessions g
    where g.id = any (ids) and coalesce(g.metadata ->> 'converted_to_user_id', p_user_id::text) = p_user_id::text
    order by g.created_at, g.id
  loop
    -- Also where it is converted already: somebody may have written the link since.
    update public.bookings b set customer_id = p_user_id, guest_session_id = null
    where b.guest_session_id = guest.id and b.customer_id is null;
    get diagnostics moved = row_count;
    moved := moved + coalesce((guest.metadata ->> 'converted_bookings')::integer, 0);
    total := total + moved;
    update public.guest_sessions g
    set metadata = coalesce(g.metadata, '{}') || pg_catalog.jsonb_build_object('converted_to_user_id', p_user_id, 'converted_bookings', moved,
      'converted_at', coalesce(guest.metadata -> 'converted_at', to_jsonb(now())))
    where g.id = guest.id;
    if (guest.metadata ? 'converted_to_user_id') is not true then
      perform marketplace_internal.emit_guest_converted(guest, p_user_id, guest.id = p_guest_session_id);
    end if;
  end loop;
  return total;
end $$;
revoke all on function marketplace_internal.convert_guest_to_user(name, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function marketplace_internal.convert_guest_to_user(name, uuid, uuid) to authenticated, service_role;
comment on function marketplace_internal.convert_guest_to_user(name, uuid, uuid) is
  'Body of convert_guest_to_user(); returns how many bookings this session brought the account, the same when asked again. '
  'Example: select marketplace_internal.convert_guest_to_user(''service_role'', ''…'', ''…'')';

-- An event with both is what the core learns a session's user by (its earliest such event decides, so a session that is somebody's already
-- stays theirs). A guest's events have the tracker's session, or, where the server knew none, the guest session's own id. Where a sign-up brings
-- several sessions, one event is the GuestConverted and the others have another name, so that GuestConverted counts sign-ups.
create or replace function marketplace_internal.emit_guest_converted(p_guest public.guest_sessions, p_user_id uuid, p_is_asked boolean) returns void
  language plpgsql volatile set search_path = '' as $$
declare
  tracked constant text := p_guest.metadata ->> 'analytics_session_id';
  about constant jsonb := pg_catalog.jsonb_build_object('guest_session_id', p_guest.id);
begin
  perform marketplace_internal.emit_guest_event(case when p_is_asked then 'GuestConverted' else 'GuestSessionLinked' end,
    about, p_user_id, coalesce(tracked, p_guest.id::text));
  if tracked <> p_guest.id::text and exists (
    select from public.platform_events e where e.session_id = p_guest.id::text and e.created_at >= p_guest.created_at - interval '1 day'
  ) then
    perform marketplace_internal.emit_guest_event('GuestSessionLinked', about, p_user_id, p_guest.id::text);
  end if;
end $$;
revoke all on function marketplace_internal.emit_guest_converted(public.guest_sessions, uuid, boolean) from public, anon, authenticated, service_role;
comment on function marketplace_internal.emit_guest_converted(public.guest_sessions, uuid, boolean) is
  'The events that give a guest''s sessions to the user; p_is_asked: this is the session of the sign-up, none that it replaced.';

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

-- Who signs up in the middle of a checkout: the booking comes in while the session is converted, or just after. Key share is the lock that
-- the foreign key takes anyway; it waits for the conversion, and then reads what that has written. After the insert, because the guest's
-- policy is asked about the row as it is before; the rows are found by their session, for the key of the platform's table is its own.
create or replace function marketplace_internal.follow_converted_guest() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  account uuid;
begin
  select u.id into account
  from public.guest_sessions g join auth.users u on u.id = (g.metadata ->> 'converted_to_user_id')::uuid and u.deleted_at is null
  where g.id = new.guest_session_id for key share of g;
  if account is not null then
    update public.bookings b set customer_id = account, guest_session_id = null
    where b.guest_session_id = new.guest_session_id and b.customer_id is null;
  end if;
  return null;
end $$;
revoke all on function marketplace_internal.follow_converted_guest() from public, anon, authenticated, service_role;
comment on function marketplace_internal.follow_converted_guest() is 'Trigger function: a booking for a session that is converted already is the account''s.';
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
  'PE409 another account has it already; PE401 no such session, or not this token. 42501: not the caller''s account. '
  'Example: select convert_guest_to_user(''…guest session…'', ''…user…'')';
