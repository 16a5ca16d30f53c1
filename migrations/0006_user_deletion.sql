-- Deleting a user anonymises their events. Supabase deletes in two ways: a hard DELETE, and a soft one, which is an UPDATE
-- that sets deleted_at and keeps the row; a foreign key with SET NULL would miss the second, and cost every insert.

set local role events_owner;

-- Definer, because it runs as supabase_auth_admin, who has no right here: as invoker every user deletion would fail.
create function events_internal.anonymise_user() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' and (new.deleted_at is null or old.deleted_at is not null) then
    return null;
  end if;
  delete from events_internal.session_users s where s.user_id = old.id;
  update public.platform_events e set user_id = null where e.user_id = old.id; -- check_update makes it the session's
  return null;
end $$;
revoke all on function events_internal.anonymise_user() from public, anon, authenticated, service_role;
comment on function events_internal.anonymise_user() is
  'Sets user_id null in the events of a deleted user, who becomes as many guests as they had sessions, and forgets whose sessions these were.';

reset role;

-- CREATE OR REPLACE, because dropping a trigger on auth.users takes its owner. Where it must go: drop the function, cascade.
create or replace trigger platform_events_anonymise_user after delete or update of deleted_at on auth.users
  for each row execute function events_internal.anonymise_user();
