import type { Pool } from '@platform-events/postgres'

/**
 * What the platform has before this service comes: its own platform_events with indexes, row security and the three functions, as
 * its specification has them, and on a bare Postgres the ground for them.
 *
 * @param superuser makes the roles and `auth` where they are absent
 * @param login of the platform, which owns the table and will migrate
 */
export async function makeTableOfBefore(superuser: Pool, login: Pool): Promise<void> {
  await superuser.query(GROUND)
  await login.query(TABLE)
  await login.query(FUNCTIONS)
}

const GROUND = `
do $$
declare
  wanted text;
begin
  foreach wanted in array array['anon', 'authenticated', 'service_role'] loop
    if to_regrole(wanted) is null then
      execute format('create role %I nologin', wanted);
    end if;
  end loop;
  if to_regnamespace('auth') is null then
    create schema auth;
    create table auth.users (id uuid primary key default gen_random_uuid(), email text, created_at timestamptz, deleted_at timestamptz);
    create function auth.uid() returns uuid language sql stable as
      $f$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $f$;
    create table public.profiles (id uuid primary key references auth.users on delete cascade, role text not null default 'customer');
    grant usage on schema public, auth to anon, authenticated, service_role;
  end if;
end $$`

const TABLE = `
create table public.platform_events (
  id uuid primary key default gen_random_uuid(),
  event_type text not null,
  user_id uuid references auth.users (id) on delete set null,
  session_id text,
  properties jsonb default '{}',
  created_at timestamptz not null default now()
);
create index platform_events_event_type_created_at_idx on public.platform_events (event_type, created_at desc);
create index platform_events_user_id_created_at_idx on public.platform_events (user_id);
create index idx_platform_events_session_id on public.platform_events (session_id);
create index idx_platform_events_created_at on public.platform_events (created_at desc);
create index idx_platform_events_properties on public.platform_events using gin (properties);
alter table public.platform_events enable row level security;
grant insert on public.platform_events to anon, authenticated;
grant all on public.platform_events to service_role;
create policy "Users can insert own events" on public.platform_events
  for insert to authenticated with check (user_id is null or user_id = auth.uid());
create policy "Guests insert events of nobody" on public.platform_events for insert to anon with check (user_id is null);
create policy "Admins read events" on public.platform_events for select to authenticated
  using (exists (select 1 from public.profiles where id = auth.uid() and role = 'admin'));
create function public.touched() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger their_own before insert on public.platform_events for each row execute function public.touched();
create view public.events_of_today as select * from public.platform_events where created_at >= current_date`

/** With other columns than ours, and one that differs in its arguments. */
const FUNCTIONS = `
create function public.get_event_counts_by_type(p_start_date timestamptz default now() - interval '30 days', p_end_date timestamptz default now())
  returns table (type text, total bigint) language sql security definer as
  $$ select event_type, count(*) from public.platform_events where created_at between p_start_date and p_end_date group by 1 $$;
create function public.get_conversion_funnel(p_start_date text, p_end_date text)
  returns table (stage text, unique_users int, conversion_rate float8) language sql security definer as
  $$ select 'SearchStarted', count(distinct user_id)::int, 100.0 from public.platform_events $$;
create function public.cleanup_old_platform_events() returns integer language sql security definer as
  $$ with gone as (delete from public.platform_events where created_at < now() - interval '90 days' returning 1) select count(*)::int from gone $$`
