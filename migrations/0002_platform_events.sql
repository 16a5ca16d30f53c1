-- The events, and who may do what with them.

-- The platform may have a table of that name already, with rows, browsers that insert into it, and its three functions. Then
-- the table steps aside: into events_internal, where no API role gets and its index and constraint names are in nobody's way,
-- as it is, but for its owner and grants. events_internal.import_before() copies its rows. The runner applies all files of a
-- first installation in one transaction: whoever inserts meanwhile waits, and then finds the new table complete.
do $$
declare
  wrong text;
  usual_lock_timeout constant text := current_setting('lock_timeout');
begin
  if to_regclass('public.platform_events') is null then
    return;
  end if;

  select string_agg(format('%s %s', w.name, w.type), ', ' order by w.n) into wrong
  from (values (1, 'id', 'uuid', true), (2, 'event_type', 'text', true), (3, 'user_id', 'uuid', false), (4, 'session_id', 'text', false),
               (5, 'properties', 'jsonb', false), (6, 'created_at', 'timestamp with time zone', true)) as w (n, name, type, required)
  where not exists (
    select from pg_attribute a
    where a.attrelid = 'public.platform_events'::regclass and a.attname = w.name and not a.attisdropped
      and (a.attnotnull or not w.required)
      and (format_type(a.atttypid, null) = w.type or (w.type = 'text' and a.atttypid = 'varchar'::regtype))
  );
  if wrong is not null or (select relkind from pg_class where oid = 'public.platform_events'::regclass) <> 'r' then
    raise exception 'public.platform_events exists, and is no table of events that can be taken over'
      using errcode = 'duplicate_table',
            detail = coalesce('Not found as expected (id, event_type and created_at not null): ' || wrong, 'It is not an ordinary table.'),
            hint = 'Rename it, then migrate.';
  end if;
  if to_regclass('events_internal.platform_events_before') is not null then
    raise exception 'events_internal.platform_events_before exists already' using errcode = 'duplicate_table';
  end if;

  -- Everybody who comes while we wait for a long query on the table would wait behind us: so not for long, and often.
  perform set_config('lock_timeout', '300ms', true);
  for attempt in 1..60 loop
    begin
      lock table public.platform_events in access exclusive mode;
      exit;
    exception when lock_not_available then
      if attempt = 60 then
        raise exception 'public.platform_events is in use: a transaction of somebody''s holds it' using errcode = 'lock_not_available',
          hint = 'Look in pg_stat_activity for what runs long, and migrate again. Nothing was changed.';
      end if;
      perform pg_sleep(0.5);
    end;
  end loop;
  perform set_config('lock_timeout', usual_lock_timeout, true);

  alter table public.platform_events rename to platform_events_before;
  alter table public.platform_events_before set schema events_internal;
  alter table events_internal.platform_events_before no force row level security;
  revoke all on events_internal.platform_events_before from public, anon, authenticated, service_role;
  alter table events_internal.platform_events_before owner to events_owner;
  comment on table events_internal.platform_events_before is
    'platform_events as it was before this service came. events_internal.import_before() copies its rows; then drop it.';
end $$;

-- The platform's own functions: CREATE OR REPLACE could not change their columns (42P13), and one with other arguments, left
-- beside ours, would make calls ambiguous (42725).
do $$
declare
  own text;
begin
  for own in
    select p.oid::regprocedure from pg_proc p
    where p.pronamespace = 'public'::regnamespace
      and p.proname in ('get_event_counts_by_type', 'get_conversion_funnel', 'cleanup_old_platform_events')
  loop
    execute format('drop routine %s', own);
  end loop;
end $$;

-- sha256 is in core since 11, so this needs no pgcrypto, whose schema differs between Supabase and a bare Postgres.
create function events_internal.actor_key(user_id uuid, session_id text) returns bigint
  language sql immutable parallel safe set search_path = ''
  return (
    'x' || pg_catalog.encode(pg_catalog.substring(
      pg_catalog.sha256(pg_catalog.convert_to(coalesce('u:' || user_id::text, 's:' || session_id), 'UTF8')), 1, 8), 'hex')
  )::bit(64)::bigint;
alter function events_internal.actor_key(uuid, text) owner to events_owner;
revoke all on function events_internal.actor_key(uuid, text) from public, anon, authenticated, service_role;
comment on function events_internal.actor_key(uuid, text) is
  'The actor as 8 bytes: the first 8 of sha256 over ''u:'' + user_id, else ''s:'' + session_id, big-endian, signed; null without both. '
  'The consumer computes the same in TypeScript; a test holds the two equal. As an int8 in the covering index it halves a funnel '
  'against a text actor read from the heap (2 s against 4 s for 2M rows).';

-- Under events_owner, so that nothing of ours falls under the login's default privileges (on projects made before
-- 2026-05-30 these give anon everything on new tables, TRUNCATE included, which row security does not stop).
set local role events_owner;

create table public.platform_events (
  id uuid not null default gen_random_uuid(),
  event_type text not null,
  user_id uuid,
  session_id text,
  properties jsonb default '{}',
  created_at timestamptz not null default now(),
  received_at timestamptz not null default now(),
  source_id smallint not null default 0,
  actor_key bigint,
  stream uuid,
  seq integer,
  raw_created_at timestamptz,
  primary key (created_at, id)
) partition by range (created_at);

comment on table public.platform_events is
  'Analytics events, one partition per UTC day (in events_internal), kept 90 days. No DEFAULT partition: it would forbid DETACH '
  'CONCURRENTLY. No foreign key to auth.users: deleting a user anonymises their events, and an unknown user never fails a batch.';
comment on column public.platform_events.id is 'Made by the sender, once: a retry carries the same.';
comment on column public.platform_events.event_type is 'What happened, e.g. SearchStarted.';
comment on column public.platform_events.user_id is 'A user of auth.users; null for guests and for users deleted since.';
comment on column public.platform_events.session_id is 'The sender''s session; ties a guest''s events together.';
comment on column public.platform_events.properties is 'What the sender says about the event, a JSON object.';
comment on column public.platform_events.created_at is
  'When it happened, by the sender''s (corrected) clock: a function of the message, so that a retry meets its twin in the key.';
comment on column public.platform_events.received_at is 'When the collector, or for direct inserts the database, took it.';
comment on column public.platform_events.source_id is 'event_sources; 0 is a row inserted directly by SQL.';
comment on column public.platform_events.actor_key is 'events_internal.actor_key(user_id, session_id).';
comment on column public.platform_events.stream is 'The tracker instance that sent it; seq counts within it.';
comment on column public.platform_events.seq is 'Position within stream: a gap shows a loss.';
comment on column public.platform_events.raw_created_at is 'created_at as claimed, where the collector corrected it.';

-- Seven indexes with the primary key (which also serves ranges of created_at). The seventh, GIN (properties jsonb_path_ops),
-- is built when a day closes and must never exist on this parent, not even ON ONLY: LIKE and ATTACH would bring it to every
-- new day, where it halves ingest (98k to 47k rows/s), while its absence costs a `@>` on the open day 127 ms per million rows.
create index platform_events_event_type_created_at_idx on public.platform_events (event_type, created_at) include (actor_key);
create index platform_events_user_id_created_at_idx on public.platform_events (user_id, created_at) where user_id is not null;
create index platform_events_session_id_created_at_idx on public.platform_events (session_id, created_at) where session_id is not null;
create index platform_events_id_idx on public.platform_events (id);
-- left(…, 200): an index row over 2,700 bytes is an error at insert, and what Postgres refuses after the 202 is our fault.
create index platform_events_pro_id_created_at_idx on public.platform_events ((left(properties ->> 'pro_id', 200)), created_at)
  where (properties ->> 'pro_id') is not null;

revoke all on public.platform_events from public, anon, authenticated, service_role;
-- The customer's six columns and no other, so that nobody writes source_id, actor_key or received_at by hand.
grant insert (id, event_type, user_id, session_id, properties, created_at) on public.platform_events to anon, authenticated;
grant select on public.platform_events to authenticated, events_reader;
grant select, insert, update, delete on public.platform_events to service_role;

alter table public.platform_events enable row level security;

reset role;

-- Is the caller an admin of the platform? Definer, because a user need not be able to read profiles; made by the migrating
-- login and not by events_owner, because that login can read profiles and schema auth and events_owner cannot.
create function events_internal.is_admin() returns boolean
  language sql stable security definer set search_path = '' as $$
    select exists (select from public.profiles p where p.id = auth.uid() and p.role = 'admin')
  $$;
revoke all on function events_internal.is_admin() from public, anon, authenticated, service_role;
grant execute on function events_internal.is_admin() to authenticated, events_owner;
comment on function events_internal.is_admin() is 'Whether auth.uid() has role ''admin'' in profiles.';

-- Policies are made by the login, too: they name auth.uid(), which events_owner has no right to look up (running them
-- needs none). Function calls stand in sub-selects, so that they run once per statement and not once per row (179 to 9 ms).
create policy "Guests insert events of nobody" on public.platform_events
  for insert to anon with check (user_id is null);
create policy "Users insert their own events, or events of nobody" on public.platform_events
  for insert to authenticated with check (user_id is null or user_id = (select auth.uid()));
create policy "Admins read events" on public.platform_events
  for select to authenticated using ((select events_internal.is_admin()));
-- Supabase's service_role has BYPASSRLS and needs no policy; on a bare Postgres making such a role takes a superuser.
create policy "The service role does everything" on public.platform_events
  for all to service_role using (true) with check (true);
create policy "Readers read events" on public.platform_events
  for select to events_reader using (true);
