import { createPool } from '@platform-events/postgres'

/**
 * `old`: what projects made before 2026-05-30 have, everything to the API roles on all that `postgres` makes in public;
 * `new`: no reading, writing or executing by default any more, while TRUNCATE and its like stay.
 */
export type DefaultPrivileges = 'old' | 'new'

/**
 * Turns a fresh server, whose login is the superuser `postgres`, into one with Supabase's roles: the superuser becomes
 * `supabase_admin`, and `postgres` is what it is there, no superuser, with CREATEROLE, REPLICATION and BYPASSRLS.
 *
 * @param url of the superuser `postgres`
 * @returns the same server for the superuser and for `postgres`
 */
export async function makeSupabaseRoles(url: string): Promise<{ superuserUrl: string; postgresUrl: string }> {
  // A role in use cannot be renamed, so somebody else does it.
  await run(url, `create role renamer superuser login password 'renamer'`)
  await run(as(url, 'renamer', 'renamer'), 'alter role postgres rename to supabase_admin')
  const superuserUrl = as(url, 'supabase_admin', new URL(url).password)
  await run(
    superuserUrl,
    `drop role renamer;
     create role postgres login createdb createrole replication bypassrls password 'postgres';
     create role anon nologin;
     create role authenticated nologin;
     create role service_role nologin bypassrls;
     create role authenticator login noinherit password 'authenticator';
     create role supabase_auth_admin login noinherit password 'auth';
     grant anon, authenticated, service_role to authenticator;
     grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;
     do $$ begin
       execute 'grant anon, authenticated, service_role to postgres'
         || case when current_setting('server_version_num')::int >= 160000 then ' with admin option' else '' end;
     end $$`,
  )
  return { superuserUrl, postgresUrl: as(url, 'postgres', 'postgres') }
}

/** Gives a database that `postgres` owns what a Supabase project has before we come, and the customer's `profiles`. */
export async function makeSupabaseDatabase(superuserUrl: string, defaults: DefaultPrivileges): Promise<void> {
  await run(
    superuserUrl,
    `create schema extensions authorization postgres;
     grant usage on schema public to postgres, anon, authenticated, service_role;
     create schema auth;
     grant usage on schema auth to postgres, anon, authenticated, service_role;
     grant all on schema auth to supabase_auth_admin;
     ${AUTH_OBJECTS}
     ${defaults === 'old' ? OLD_DEFAULTS : NEW_DEFAULTS}
     set role postgres;
     create table public.profiles (id uuid primary key references auth.users on delete cascade, role text not null default 'customer');
     alter table public.profiles enable row level security;
     create policy "Users read their own profile" on public.profiles for select to authenticated using (id = (select auth.uid()));
     reset role`,
  )
}

const AUTH_OBJECTS = `
  set role supabase_auth_admin;
  create table auth.users (
    id uuid primary key, email text, raw_app_meta_data jsonb, is_anonymous boolean not null default false,
    created_at timestamptz, deleted_at timestamptz);
  alter table auth.users enable row level security;
  grant all on auth.users to postgres;
  create function auth.uid() returns uuid language sql stable as $f$
    select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
      (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid $f$;
  create function auth.role() returns text language sql stable as $f$
    select coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
      (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'))::text $f$;
  create function auth.jwt() returns jsonb language sql stable as $f$
    select coalesce(nullif(current_setting('request.jwt.claim', true), ''),
      nullif(current_setting('request.jwt.claims', true), ''))::jsonb $f$;
  reset role;`

const OLD_DEFAULTS = ['tables', 'sequences', 'functions']
  .map(
    (kind) =>
      `alter default privileges for role postgres in schema public grant all on ${kind} to postgres, anon, authenticated, service_role;`,
  )
  .join('\n')

const NEW_DEFAULTS =
  'alter default privileges for role postgres in schema public grant truncate, references, trigger on tables to anon, authenticated, service_role;'

/** The same server for another login. */
export function as(url: string, user: string, password: string): string {
  const changed = new URL(url)
  changed.username = user
  changed.password = password
  return changed.href
}

async function run(url: string, sql: string): Promise<void> {
  const pool = createPool({ connectionString: url, applicationName: 'platform-events tests', max: 1 })
  try {
    await pool.query(sql)
  } finally {
    await pool.end()
  }
}
