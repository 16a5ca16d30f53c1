-- Deleting a user anonymises their events. Supabase deletes in two ways: a hard DELETE, and a soft one, which is an UPDATE
-- that sets deleted_at and keeps the row; a foreign key with SET NULL would miss the second, and cost every insert.

set local role events_owner;

create table events_internal.deleted_users (
  user_id uuid primary key,
  deleted_at timestamptz not null default now()
);
comment on table events_internal.deleted_users is
  'Users deleted since the service came: events of theirs may still come in, from a tracker that was away or a load under way.';

create function events_internal.anonymise(p_user_id uuid) returns void
  language plpgsql volatile security definer set search_path = '' as $$
declare
  sessions text[];
begin
  -- In key order, as the consumer takes them, or the two deadlock.
  perform from events_internal.session_users s where s.user_id = p_user_id order by s.session_id collate "C" for update;
  with gone as (delete from events_internal.session_users s where s.user_id = p_user_id returning s.session_id)
  select pg_catalog.array_agg(g.session_id) into sessions from gone g;
  update public.platform_events e set user_id = null where e.user_id = p_user_id; -- check_update makes it the session's

  -- A shared device: the session is now its next user's.
  insert into events_internal.session_users as s (session_id, session_key, user_id, user_key, first_created_at, first_id)
  select n.session_id, events_internal.actor_key(null, n.session_id), n.user_id, n.actor_key, n.created_at, n.id
  from (
    select distinct on (e.session_id) e.session_id, e.user_id, e.actor_key, e.created_at, e.id
    from public.platform_events e
    where e.session_id = any(sessions) and e.user_id is not null
    order by e.session_id, e.created_at, e.id
  ) n
  order by n.session_id collate "C"
  on conflict (session_id) do update
    set user_id = excluded.user_id, user_key = excluded.user_key,
        first_created_at = excluded.first_created_at, first_id = excluded.first_id
    where (excluded.first_created_at, excluded.first_id) < (s.first_created_at, s.first_id);
end $$;
revoke all on function events_internal.anonymise(uuid) from public, anon, authenticated, service_role;
comment on function events_internal.anonymise(uuid) is
  'Sets user_id null in the events of a user, who becomes as many guests as they had sessions, and forgets whose sessions these were.';

-- Definer, because it runs as supabase_auth_admin, who has no right here: as invoker every user deletion would fail.
create function events_internal.anonymise_user() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' and (new.deleted_at is null or old.deleted_at is not null) then
    return null;
  end if;
  insert into events_internal.deleted_users (user_id) values (old.id) on conflict do nothing;
  perform events_internal.anonymise(old.id);
  return null;
end $$;
revoke all on function events_internal.anonymise_user() from public, anon, authenticated, service_role;
comment on function events_internal.anonymise_user() is 'Anonymises the events of a user just deleted, and remembers the user for those still to come.';

reset role;

-- Made by the login and not by events_owner, because it looks at auth.users: whoever is there again is no deleted user.
create function events_internal.anonymise_late_events() returns integer
  language plpgsql volatile security definer set search_path = '' as $$
declare
  late record;
  users integer := 0;
begin
  -- Twice the late window back. LIMIT keeps this a look into the index for each user, instead of a join over the days.
  for late in
    select d.user_id from events_internal.deleted_users d
    cross join lateral (
      select from public.platform_events e
      where e.user_id = d.user_id and e.created_at >= now() - interval '15 days'
      limit 1
    ) e
    where not exists (select from auth.users u where u.id = d.user_id and u.deleted_at is null)
  loop
    perform events_internal.anonymise(late.user_id);
    users := users + 1;
  end loop;
  return users;
end $$;
revoke all on function events_internal.anonymise_late_events() from public, anon, authenticated, service_role;
grant execute on function events_internal.anonymise_late_events() to events_owner;
comment on function events_internal.anonymise_late_events() is
  'Anonymises events of deleted users that came in after the deletion; retention runs it. Returns how many users had any. '
  'Not done on the way in: a deletion and a load under way cannot see each other, so it takes a look afterwards in any case.';

-- CREATE OR REPLACE, because dropping a trigger on auth.users takes its owner. Where it must go: drop the function, cascade.
create or replace trigger platform_events_anonymise_user after delete or update of deleted_at on auth.users
  for each row execute function events_internal.anonymise_user();
