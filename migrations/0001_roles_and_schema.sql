-- Roles, the ground that Supabase has and a bare Postgres lacks, and the schema for everything internal.
--
-- Runs as a superuser, or as any login with CREATEROLE that owns the database (Supabase's `postgres` is one: no superuser,
-- may not touch schema auth beyond triggers, may not alter anon, authenticated, service_role). Roles belong to the cluster,
-- not to the database: a second database, or two at the same moment, meets roles that exist or appear while we look.

do $$
declare
  wanted text;
begin
  foreach wanted in array array['events_owner', 'events_writer', 'events_operator', 'events_reader',
                                'anon', 'authenticated', 'service_role'] loop
    begin
      if to_regrole(wanted) is null then
        execute format('create role %I nologin', wanted);
      end if;
    exception when duplicate_object or unique_violation then
      null; -- another database of this cluster migrated at the same moment and made it
    end;
  end loop;
end $$;

-- events_owner owns tables and partitions. The writer (COPY, offsets, rollup) and the operator (partitions) are *inheriting
-- members* of it, because COPY FROM is refused with 0A000 to a role that row level security applies to, even under
-- `with check (true)`; only the owner and those who inherit from it are exempt. So: no FORCE ROW LEVEL SECURITY here, ever.
-- After CREATE ROLE its creator still cannot act as it; the grant to current_user is what allows that, on 15 to 18.
do $$
declare
  member text;
begin
  foreach member in array array['events_writer', 'events_operator', current_user::text] loop
    for attempt in 1..10 loop
      begin
        if not pg_has_role(member, 'events_owner', 'usage') then
          execute format('grant events_owner to %I', member);
        end if;
        exit;
      exception when unique_violation or internal_error then
        -- "tuple concurrently updated": the same grant from another database; look again
        if attempt = 10 then raise; end if;
        perform pg_sleep(0.05);
      end;
    end loop;
  end loop;
end $$;

-- A bare Postgres gets the few things of Supabase's that policies and functions name. What exists is left alone: on
-- Supabase `create table if not exists auth.users` fails with 42501 although it exists.
do $$
begin
  if to_regnamespace('auth') is null then
    create schema auth;
    grant usage on schema auth to anon, authenticated, service_role;
  end if;

  if to_regclass('auth.users') is null then
    create table auth.users (
      id uuid primary key default gen_random_uuid(),
      email text,
      created_at timestamptz default now(),
      deleted_at timestamptz
    );
    comment on table auth.users is 'The users of the platform, the least of it: a Supabase project brings its own.';
  end if;

  if to_regprocedure('auth.jwt()') is null then
    create function auth.jwt() returns jsonb language sql stable set search_path = '' as $body$
      select coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
      )::jsonb
    $body$;
    comment on function auth.jwt() is 'The claims of the caller''s token, as PostgREST sets them for the transaction.';
  end if;

  if to_regprocedure('auth.uid()') is null then
    create function auth.uid() returns uuid language sql stable set search_path = '' as $body$
      select coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
      )::uuid
    $body$;
    comment on function auth.uid() is 'The signed-in user, null for a guest.';
  end if;

  if to_regprocedure('auth.role()') is null then
    create function auth.role() returns text language sql stable set search_path = '' as $body$
      select coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
      )
    $body$;
    comment on function auth.role() is 'The role that the caller''s token names.';
  end if;

  if to_regclass('public.profiles') is null then
    create table public.profiles (
      id uuid primary key references auth.users (id) on delete cascade,
      role text not null default 'customer'
    );
    alter table public.profiles enable row level security;
    revoke all on public.profiles from public, anon, authenticated, service_role;
    grant select, insert, update, delete on public.profiles to service_role;
    create policy "The service role manages profiles" on public.profiles
      for all to service_role using (true) with check (true);
    comment on table public.profiles is 'role = ''admin'' may read the events. The platform brings its own where it has one.';
  end if;
end $$;

-- Partitions and internal tables live here. Not exposed by PostgREST, and no USAGE for public, anon, authenticated: a
-- partition in `public` would be readable by anon on Supabase's default grants, for LIKE copies neither row security nor
-- policies and direct access to a partition does not ask the parent's.
create schema if not exists events_internal;
comment on schema events_internal is 'Partitions, internal tables and function bodies of platform_events. Not for API roles.';
revoke all on schema events_internal from public, anon, authenticated;
alter schema events_internal owner to events_owner;
grant usage on schema events_internal to events_reader;
grant usage, create on schema public to events_owner;
