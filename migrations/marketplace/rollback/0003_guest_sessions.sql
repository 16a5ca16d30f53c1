-- Refuses while there are guests; forced, it keeps them in marketplace_archive, from where applying 0003 again takes them back.

do $$
declare
  guests bigint;
begin
  if to_regclass('public.guest_sessions') is null then return; end if;

  if exists (
    select from pg_constraint c
    where c.contype = 'f' and c.confrelid = 'public.guest_sessions'::regclass
  ) then
    raise exception 'public.guest_sessions is referred to by %', (
        select string_agg(c.conrelid::regclass::text || ' (' || c.conname || ')', ', ' order by 1)
        from pg_constraint c where c.contype = 'f' and c.confrelid = 'public.guest_sessions'::regclass)
      using errcode = 'dependent_objects_still_exist', hint = 'Roll back 0004_guest_bookings.sql first, and drop foreign keys of your own.';
  end if;

  lock table public.guest_sessions in access exclusive mode;
  select count(*) into guests from public.guest_sessions;
  if guests > 0 then
    if current_setting('marketplace.force', true) is distinct from 'on' then
      raise exception 'public.guest_sessions holds % rows', guests
        using errcode = 'object_not_in_prerequisite_state',
              hint = 'With force they are kept in marketplace_archive.guest_sessions, and applying 0003 again takes them back.';
    end if;
    create schema if not exists marketplace_archive;
    revoke all on schema marketplace_archive from public, anon, authenticated, service_role;
    create table if not exists marketplace_archive.guest_sessions (like public.guest_sessions);
    insert into marketplace_archive.guest_sessions (id, session_token, email, full_name, phone, metadata, expires_at, created_at)
    select g.id, g.session_token, g.email, g.full_name, g.phone, g.metadata, g.expires_at, g.created_at from public.guest_sessions g;
    revoke all on marketplace_archive.guest_sessions from public, anon, authenticated, service_role;
    raise notice '% guest sessions are kept in marketplace_archive.guest_sessions', guests;
  end if;
end $$;

drop function if exists public.cleanup_expired_guest_sessions();
drop function if exists marketplace_internal.cleanup_expired_guest_sessions();
drop function if exists marketplace_internal.release_long_gone_guests();
drop function if exists marketplace_internal.guest_session_of_nobody();
drop function if exists marketplace_internal.is_free_analytics_session(text, uuid);
drop function if exists public.get_guest_session(text);
drop function if exists marketplace_internal.get_guest_session(text);
-- Its policies name functions, and one of these its row type; the trigger names a third.
do $$
begin
  if to_regclass('public.guest_sessions') is not null then
    drop policy if exists "A guest reads their session by its token" on public.guest_sessions;
  end if;
end $$;
drop function if exists marketplace_internal.guest_session_of_request();
drop function if exists marketplace_internal.live_guest_session(text);
drop function if exists marketplace_internal.guest_token_of_request();
drop function if exists marketplace_internal.guest_session_just_made();
drop table if exists public.guest_sessions;
drop function if exists marketplace_internal.prepare_guest_session();
