-- Guests: who books without an account has a session of 24 hours, and reaches it by its token alone.
--
-- Which way the SELECT policy goes, and why. It must let a browser do `.insert({ session_token, … }).select().single()` as anon, and must
-- let nobody list sessions or find one by anything but its token.
--   What a policy sees of the request: its headers (PostgREST sets `request.headers`, JSON, for the transaction) and the caller's claims. Not
--   the query: a policy cannot tell `where session_token = …` from no condition at all, so "the filter names a token" is nothing it can ask for.
--   A header is the client's word: no identity, but as good as any other place for a secret that the client holds. So (1): the live session
--   whose token the request has in `x-guest-session-token`. Who cannot set a header calls get_guest_session(token).
--   A row being inserted is asked about (RETURNING needs it to pass the SELECT policy) before it is in the table: a function in the policy
--   cannot look it up, and its xmin cannot be read (42501 on 15 and 18). So (2): a trigger before the insert leaves the new id in a setting
--   that ends with the transaction, and the policy compares. Anybody could set such a setting, knowing an id; so the row must also be of this
--   very transaction (created_at = now(), which the API's roles cannot write).
-- Both are scalar sub-selects, run once per statement, and each leads into the primary key: a guest's SELECT reads one row, however many
-- there are. Hence a RETURNING of several rows in one insert fails with 42501; without RETURNING it works.

create schema if not exists marketplace_internal;
revoke all on schema marketplace_internal from public, anon, authenticated;

create table if not exists public.guest_sessions (
  id uuid primary key default gen_random_uuid(),
  session_token text not null constraint guest_sessions_session_token_key unique
    constraint guest_sessions_session_token_length check (length(session_token) between 16 and 200),
  email text not null constraint guest_sessions_email_form check (length(email) between 3 and 320 and position('@' in email) > 1),
  full_name text not null constraint guest_sessions_full_name_length check (length(full_name) between 1 and 200),
  phone text constraint guest_sessions_phone_length check (length(phone) <= 40),
  metadata jsonb default '{}' constraint guest_sessions_metadata_object check (jsonb_typeof(metadata) = 'object'),
  expires_at timestamptz not null default now() + interval '24 hours',
  created_at timestamptz not null default now()
);
comment on table public.guest_sessions is 'Guests: people who book without an account. Nobody can list them: row level security lets one in by its token alone.';
comment on column public.guest_sessions.session_token is
  'The guest''s secret. Its uniqueness tells a prober that a token is taken, which is no more than holding that token tells.';
comment on column public.guest_sessions.email is 'Lower case, without blanks around it. Never proof of who somebody is.';
comment on column public.guest_sessions.metadata is
  'device: sha256 of what only that browser knows · analytics_session_id: the session_id of the tracker''s events · '
  'moved_to: the session that replaced it and has its bookings · converted_to_user_id, converted_at, converted_bookings: after the sign-up.';
comment on column public.guest_sessions.expires_at is 'Until when the token opens anything.';

-- The unique constraint is the index on session_token. Email with device, so that "has this browser a session of this email" touches rows of
-- its own alone, and takes as long for an email that others have used as for one that nobody has.
create index if not exists guest_sessions_email_idx on public.guest_sessions (email, (metadata ->> 'device'));
create index if not exists guest_sessions_expires_at_idx on public.guest_sessions (expires_at);
create index if not exists guest_sessions_analytics_session_idx on public.guest_sessions ((metadata ->> 'analytics_session_id'))
  where metadata ->> 'analytics_session_id' is not null;

create or replace function marketplace_internal.prepare_guest_session() returns trigger
  language plpgsql volatile set search_path = '' as $$
begin
  new.email := pg_catalog.lower(pg_catalog.btrim(new.email));
  perform pg_catalog.set_config('marketplace.new_guest_session', new.id::text, true);
  return new;
end $$;
revoke all on function marketplace_internal.prepare_guest_session() from public, anon, authenticated, service_role;
comment on function marketplace_internal.prepare_guest_session() is
  'Before the insert of a guest session: one form of the email, and the new id where the SELECT policy finds it.';
create or replace trigger prepare_guest_session before insert on public.guest_sessions
  for each row execute function marketplace_internal.prepare_guest_session();

create or replace function marketplace_internal.guest_session_just_made() returns uuid
  language sql stable set search_path = '' as $$
    select nullif(pg_catalog.current_setting('marketplace.new_guest_session', true), '')::uuid
  $$;
revoke all on function marketplace_internal.guest_session_just_made() from public, anon, authenticated, service_role;
grant execute on function marketplace_internal.guest_session_just_made() to anon, authenticated;
comment on function marketplace_internal.guest_session_just_made() is 'The guest session that this transaction inserted last, by its own word.';

create or replace function marketplace_internal.guest_token_of_request() returns text
  language sql stable set search_path = '' as $$
    select nullif(pg_catalog.current_setting('request.headers', true), '')::jsonb ->> 'x-guest-session-token'
  $$;
revoke all on function marketplace_internal.guest_token_of_request() from public, anon, authenticated, service_role;
comment on function marketplace_internal.guest_token_of_request() is 'The header x-guest-session-token, as PostgREST hands headers on.';

-- A converted session is over: what it opened is the account's now.
create or replace function marketplace_internal.live_guest_session(p_session_token text) returns setof public.guest_sessions
  language sql stable set search_path = '' as $$
    select g.* from public.guest_sessions g
    where g.session_token = p_session_token and g.expires_at > now() and (g.metadata ? 'converted_to_user_id') is not true
  $$;
revoke all on function marketplace_internal.live_guest_session(text) from public, anon, authenticated, service_role;
comment on function marketplace_internal.live_guest_session(text) is
  'The session that this token opens: neither expired nor converted. Example: select id from marketplace_internal.live_guest_session(''…'')';

-- Definer, because it looks through the policy that it is part of.
create or replace function marketplace_internal.guest_session_of_request() returns uuid
  language sql stable security definer set search_path = '' as $$
    select g.id from marketplace_internal.live_guest_session(marketplace_internal.guest_token_of_request()) g
  $$;
revoke all on function marketplace_internal.guest_session_of_request() from public, anon, authenticated, service_role;
grant execute on function marketplace_internal.guest_session_of_request() to anon, authenticated;
comment on function marketplace_internal.guest_session_of_request() is 'The live guest session whose token the request carries, else null.';

create or replace function marketplace_internal.get_guest_session(p_session_token text)
  returns table (id uuid, email text, full_name text, phone text, expires_at timestamptz, created_at timestamptz)
  language sql stable security definer set search_path = '' as $$
    select g.id, g.email, g.full_name, g.phone, g.expires_at, g.created_at from marketplace_internal.live_guest_session(p_session_token) g
  $$;
revoke all on function marketplace_internal.get_guest_session(text) from public, anon, authenticated, service_role;
grant execute on function marketplace_internal.get_guest_session(text) to anon, authenticated, service_role;
comment on function marketplace_internal.get_guest_session(text) is 'Body of get_guest_session().';

create or replace function public.get_guest_session(p_session_token text)
  returns table (id uuid, email text, full_name text, phone text, expires_at timestamptz, created_at timestamptz)
  language sql stable security invoker set search_path = ''
begin atomic
  select g.id, g.email, g.full_name, g.phone, g.expires_at, g.created_at from marketplace_internal.get_guest_session(p_session_token) g;
end;
revoke all on function public.get_guest_session(text) from public, anon, authenticated, service_role;
grant execute on function public.get_guest_session(text) to anon, authenticated, service_role;
comment on function public.get_guest_session(text) is
  'The live guest session of this token, for who cannot send it as the header x-guest-session-token; no row for any other. '
  'Example: select * from get_guest_session(''kq3w…'')';

-- Whoever names a session gets, at the sign-up, what was done in it. Its id is known to the guest's own browser alone, or should be; so the
-- first who names it keeps it, and what is a user's already is never a guest's.
create or replace function marketplace_internal.is_free_analytics_session(p_session_id text, p_earlier uuid) returns boolean
  language plpgsql stable set search_path = '' as $$
declare
  -- Events of a guest without a tracker's session have the guest session's own id.
  as_guest constant uuid := case when p_session_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_session_id::uuid end;
begin
  return not exists (select from events_internal.session_users s where s.session_id = p_session_id)
    and not exists (
      select from public.guest_sessions g
      where g.metadata ->> 'analytics_session_id' = p_session_id and g.id is distinct from p_earlier)
    and not exists (select from public.guest_sessions g where g.id = as_guest and g.id is distinct from p_earlier);
end $$;
revoke all on function marketplace_internal.is_free_analytics_session(text, uuid) from public, anon, authenticated, service_role;
comment on function marketplace_internal.is_free_analytics_session(text, uuid) is
  'Whether this session of the analytics is neither a user''s nor another guest''s; p_earlier: the guest session that the same guest proved to have had. '
  'Example: select marketplace_internal.is_free_analytics_session(''…tab…'', null)';

create or replace function marketplace_internal.guest_session_of_nobody() returns uuid
  language plpgsql volatile set search_path = '' as $$
declare
  nobody constant uuid := '00000000-0000-4000-8000-000000000000';
begin
  insert into public.guest_sessions (id, session_token, email, full_name, expires_at, created_at)
  values (nobody, pg_catalog.replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'forgotten@example.invalid', 'Forgotten', '2000-01-01Z', '2000-01-01Z')
  on conflict do nothing;
  return nobody;
end $$;
revoke all on function marketplace_internal.guest_session_of_nobody() from public, anon, authenticated, service_role;
comment on function marketplace_internal.guest_session_of_nobody() is
  'The guest session that bookings of forgotten people have, since a booking has a customer or a guest session; made where it is absent. It is over, and nobody knows '
  'its token.';

-- A guest who booked and never signed up would be kept for ever by the booking. A year and some weeks: what is repeated yearly has come by.
-- Where the registry (0006_personal_data.sql) says what else of a booking is the person's, that goes as well; else what the minimal form has.
create or replace function marketplace_internal.release_long_gone_guests() returns bigint
  language plpgsql volatile set search_path = '' as $$
declare
  kept constant interval := '400 days';
  gone constant uuid[] := array(
    select g.id from public.guest_sessions g
    where g.expires_at < now() - kept and g.id <> '00000000-0000-4000-8000-000000000000'
      and exists (select from public.bookings b where b.guest_session_id = g.id)
    order by g.expires_at limit 10000 for update of g skip locked);
  assignments text[] := array['guest_session_id = marketplace_internal.guest_session_of_nobody()', 'notes = null', 'cancel_reason = null'];
  released bigint := 0;
begin
  if gone = '{}' then
    return released;
  end if;
  if pg_catalog.to_regclass('marketplace_internal.personal_data') is not null then
    execute 'select p.anonymise_set from marketplace_internal.personal_data p where p.relation = ''public.bookings'' and p.part = '''' and p.on_forget = ''anonymise'''
      into assignments;
  end if;
  assignments := array(
    select a.assignment from pg_catalog.unnest(assignments) a (assignment)
    where exists (
      select from pg_catalog.pg_attribute c
      where c.attrelid = 'public.bookings'::regclass and c.attname = pg_catalog.split_part(a.assignment, ' ', 1) and not c.attisdropped));
  if assignments <> '{}' then
    -- What the registry's assignments may speak of: no user, these guests, no session of the analytics (events are kept for 90 days).
    execute 'update public.bookings t set ' || pg_catalog.array_to_string(assignments, ', ') || ' where t.guest_session_id = any ($2) and t.customer_id is null'
      using null::uuid, gone, '{}'::text[];
    get diagnostics released = row_count;
  end if;
  update public.bookings b set guest_session_id = null where b.guest_session_id = any (gone) and b.customer_id is not null;
  return released;
end $$;
revoke all on function marketplace_internal.release_long_gone_guests() from public, anon, authenticated, service_role;
comment on function marketplace_internal.release_long_gone_guests() is
  'Gives the bookings of guests whose session ended more than 400 days ago to the session of nobody; returns how many. '
  'Example: select marketplace_internal.release_long_gone_guests()';

-- Locked rows are passed over: somebody is booking or converting. What books while we look waits for our lock, because its foreign key
-- does, so between the lock and the delete no booking can come. A session that another table of the platform's refers to stays, and keeps
-- back no other: only where a batch fails is it gone through row by row.
create or replace function marketplace_internal.cleanup_expired_guest_sessions() returns bigint
  language plpgsql volatile security definer set search_path = '' as $$
declare
  -- The session of nobody, which bookings of forgotten people have.
  nobody constant uuid := '00000000-0000-4000-8000-000000000000';
  batch constant int := 10000;
  with_bookings constant boolean := exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass('public.bookings') and a.attname = 'guest_session_id' and not a.attisdropped);
  unbooked constant text := case when with_bookings
    then 'not exists (select from public.bookings b where b.guest_session_id = g.id)' else 'true' end;
  expired uuid[];
  last_expiry timestamptz := '-infinity';
  last_id uuid := '00000000-0000-0000-0000-000000000000';
  one uuid;
  n bigint;
  removed bigint := 0;
  held bigint := 0;
begin
  if with_bookings then
    perform marketplace_internal.release_long_gone_guests();
  end if;
  loop
    execute 'with picked as (
        select g.id, g.expires_at from public.guest_sessions g
        where g.expires_at < now() and (g.expires_at, g.id) > ($1, $2) and g.id <> $3 and ' || unbooked || '
        order by g.expires_at, g.id limit $4 for update skip locked)
      select array_agg(p.id order by p.expires_at, p.id), max(p.expires_at) from picked p'
      into expired, last_expiry using last_expiry, last_id, nobody, batch;
    exit when expired is null;
    last_id := expired[pg_catalog.cardinality(expired)];
    begin
      execute 'delete from public.guest_sessions g where g.id = any ($1) and ' || unbooked using expired;
      get diagnostics n = row_count;
      removed := removed + n;
    exception when foreign_key_violation or restrict_violation then
      foreach one in array expired loop
        begin
          execute 'delete from public.guest_sessions g where g.id = $1 and ' || unbooked using one;
          get diagnostics n = row_count;
          removed := removed + n;
        exception when foreign_key_violation or restrict_violation then
          held := held + 1;
        end;
      end loop;
    end;
  end loop;
  if held > 0 then
    raise warning '% expired guest sessions stay: a table of the platform''s refers to them', held
      using hint = 'Let its foreign key say what becomes of such rows: on delete cascade, or on delete set null.';
  end if;
  return removed;
end $$;
revoke all on function marketplace_internal.cleanup_expired_guest_sessions() from public, anon, authenticated, service_role;
grant execute on function marketplace_internal.cleanup_expired_guest_sessions() to service_role;
comment on function marketplace_internal.cleanup_expired_guest_sessions() is
  'Body of cleanup_expired_guest_sessions(); returns how many it removed. Example: select marketplace_internal.cleanup_expired_guest_sessions()';

create or replace function public.cleanup_expired_guest_sessions() returns void
  language sql volatile security invoker set search_path = ''
begin atomic
  select marketplace_internal.cleanup_expired_guest_sessions();
end;
revoke all on function public.cleanup_expired_guest_sessions() from public, anon, authenticated, service_role;
grant execute on function public.cleanup_expired_guest_sessions() to service_role;
comment on function public.cleanup_expired_guest_sessions() is
  'Removes expired guest sessions, but those with a booking; 400 days after the end the booking becomes nobody''s, and the session goes as well. Run daily. '
  'Example: select cleanup_expired_guest_sessions()';

alter table public.guest_sessions enable row level security;
revoke all on public.guest_sessions from public, anon, authenticated, service_role;
-- What the customer's browser sends and no more: the id, the times and the metadata are the database's.
grant insert (session_token, email, full_name, phone) on public.guest_sessions to anon, authenticated;
grant select on public.guest_sessions to anon, authenticated;
grant select, insert, update, delete on public.guest_sessions to service_role;

-- What the column grants say already, once more: `grant all on all tables in schema public` is quickly said.
drop policy if exists "Anybody becomes a guest" on public.guest_sessions;
create policy "Anybody becomes a guest" on public.guest_sessions
  for insert to anon, authenticated
  with check (created_at = now() and expires_at = now() + interval '24 hours' and metadata = '{}');
drop policy if exists "A guest reads their session by its token" on public.guest_sessions;
create policy "A guest reads their session by its token" on public.guest_sessions
  for select to anon, authenticated
  using (id = (select marketplace_internal.guest_session_of_request())
    or (id = (select marketplace_internal.guest_session_just_made()) and created_at = now()));
drop policy if exists "The service role manages guest sessions" on public.guest_sessions;
create policy "The service role manages guest sessions" on public.guest_sessions
  for all to service_role using (true) with check (true);

-- What a rollback put aside.
do $$
begin
  if to_regclass('marketplace_archive.guest_sessions') is not null then
    insert into public.guest_sessions (id, session_token, email, full_name, phone, metadata, expires_at, created_at)
    select a.id, a.session_token, a.email, a.full_name, a.phone, a.metadata, a.expires_at, a.created_at
    from marketplace_archive.guest_sessions a
    on conflict do nothing;
    drop table marketplace_archive.guest_sessions;
  end if;
end $$;
