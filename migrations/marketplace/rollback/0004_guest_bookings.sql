-- Loses no booking. Refuses while bookings have no customer; forced, these stay, without customer and without guest, and the links are kept
-- in marketplace_archive, from where applying 0004 again takes them back.

drop function if exists public.convert_guest_to_user(uuid, uuid);
drop function if exists marketplace_internal.convert_guest_to_user(name, uuid, uuid);
drop function if exists marketplace_internal.emit_guest_event(text, jsonb, uuid, text);
do $$
begin
  if to_regclass('public.guest_sessions') is not null then
    drop function if exists marketplace_internal.emit_guest_converted(public.guest_sessions, uuid);
  end if;
end $$;

do $$
declare
  before record;
  key_column name;
  without_customer bigint;
  links bigint;
  ours record;
begin
  if to_regclass('public.bookings') is null or to_regclass('marketplace_internal.bookings_before_guests') is null or not exists (
    select from pg_attribute a where a.attrelid = 'public.bookings'::regclass and a.attname = 'guest_session_id' and not a.attisdropped
  ) then
    return;
  end if;
  lock table public.bookings in access exclusive mode;
  select * into before from marketplace_internal.bookings_before_guests;

  select count(*) filter (where b.customer_id is null), count(b.guest_session_id) into without_customer, links from public.bookings b;
  if without_customer > 0 and current_setting('marketplace.force', true) is distinct from 'on' then
    raise exception '% bookings have no customer', without_customer using errcode = 'object_not_in_prerequisite_state',
      hint = 'Convert their guests, or give them a customer_id. With force they stay without either, and the links are kept in marketplace_archive.';
  end if;

  if links > 0 and not before.had_guest_session_id then
    select a.attname into key_column
    from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = 'public.bookings'::regclass and i.indisprimary and i.indnkeyatts = 1;
    if key_column is null then
      raise exception 'public.bookings has no primary key of one column, by which % links to guests could be kept', links
        using errcode = 'object_not_in_prerequisite_state';
    end if;
    create schema if not exists marketplace_archive;
    revoke all on schema marketplace_archive from public, anon, authenticated, service_role;
    create table if not exists marketplace_archive.bookings_guest_session_ids (
      booking_key text primary key,
      guest_session_id uuid not null,
      archived_at timestamptz not null default now()
    );
    revoke all on marketplace_archive.bookings_guest_session_ids from public, anon, authenticated, service_role;
    execute format(
      'insert into marketplace_archive.bookings_guest_session_ids (booking_key, guest_session_id)
       select b.%I::text, b.guest_session_id from public.bookings b where b.guest_session_id is not null
       on conflict (booking_key) do update set guest_session_id = excluded.guest_session_id, archived_at = excluded.archived_at', key_column);
    raise notice '% links of bookings to guests are kept in marketplace_archive.bookings_guest_session_ids', links;
  end if;

  -- What is granted on the whole table is not ours, and stays.
  for ours in select * from jsonb_to_recordset(before.granted) g (role text, verb text, "column" text) loop
    if exists (
      select from pg_attribute a, aclexplode(a.attacl) x
      where a.attrelid = 'public.bookings'::regclass and a.attname = ours."column" and not a.attisdropped
        and x.grantee = to_regrole(ours.role) and x.privilege_type = upper(ours.verb) and not x.is_grantable
    ) then
      execute format('revoke %s (%I) on public.bookings from %I', ours.verb, ours."column", ours.role);
    else
      raise warning '% (%) on public.bookings to % was changed since and is left as it is', ours.verb, ours."column", ours.role;
    end if;
  end loop;
  drop trigger if exists follow_converted_guest on public.bookings;
  drop trigger if exists guard_guest_link on public.bookings;
  drop trigger if exists keep_orphaned_booking on public.bookings;
  drop policy if exists "A guest reads the bookings of their session" on public.bookings;
  drop policy if exists "A guest books for their session" on public.bookings;
  drop policy if exists "Without its token a guest's booking is out of reach" on public.bookings;
  drop policy if exists "Nobody books with the session of another guest" on public.bookings;
  drop policy if exists "A guest sees nothing else" on public.bookings;
  alter table public.bookings drop constraint if exists bookings_customer_or_guest;
  alter table public.bookings drop constraint if exists bookings_guest_session_id_fkey;
  drop index if exists public.bookings_guest_session_id_idx;
  if not before.had_guest_session_id then
    alter table public.bookings drop column guest_session_id;
  end if;

  if not before.customer_not_null then
    drop table marketplace_internal.bookings_before_guests;
  elsif without_customer = 0 then
    alter table public.bookings alter column customer_id set not null;
    drop table marketplace_internal.bookings_before_guests;
  else
    -- The note stays, so that a rollback after the next time knows what is owed.
    update marketplace_internal.bookings_before_guests b set granted = '[]', without_select = '{}' where b.only_row;
    raise warning 'public.bookings.customer_id stays nullable: % bookings have no customer', without_customer
      using hint = 'Once they have one: alter table public.bookings alter column customer_id set not null.';
  end if;
end $$;

drop function if exists marketplace_internal.follow_converted_guest();
drop function if exists marketplace_internal.guard_guest_link();
drop function if exists marketplace_internal.keep_orphaned_booking();
