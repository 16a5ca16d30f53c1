-- The rows of a platform_events that was there before us (see 0002) come into the new table in batches, beside live traffic.
--
-- They are copied, not moved: the old table stays whole until somebody drops it. A call is one transaction and takes rows of
-- one day at most (a day may have to be made, and create_day wants a transaction for each), the newest first, because that is
-- what people ask about. Where it stands is kept in the same transaction, so it may be killed and called again at will.

set local role events_owner;

create table events_internal.import_position (
  only_row boolean primary key default true check (only_row),
  created_at timestamptz not null,
  id uuid not null,
  copied bigint not null default 0,
  unfit bigint not null default 0,
  updated_at timestamptz not null default now()
);
comment on table events_internal.import_position is 'The row of platform_events_before that import_before looked at last; those before it (by created_at, id) are still to come.';
comment on column events_internal.import_position.unfit is 'Rows that no index can hold (event_type or session_id over 2,000 bytes); they stay where they are.';

reset role;

-- Made by the login and not by events_owner, because it looks at auth.users.
create function events_internal.import_before(p_batch int default 5000) returns bigint
  language plpgsql volatile security definer set search_path = '' as $$
declare
  oldest constant timestamptz := pg_catalog.date_trunc('day', now() - interval '90 days', 'UTC');
  place events_internal.import_position;
  newest timestamptz;
  day date;
  looked_at bigint;
  late record;
begin
  if p_batch is null or p_batch < 1 then
    raise exception 'a batch has at least one row' using errcode = 'invalid_parameter_value';
  end if;
  if pg_catalog.to_regclass('events_internal.platform_events_before') is null then
    return 0;
  end if;
  -- As far ahead as days are premade.
  insert into events_internal.import_position (created_at, id)
  values (pg_catalog.date_trunc('day', now(), 'UTC') + interval '8 days', '00000000-0000-0000-0000-000000000000')
  on conflict do nothing;
  select * into place from events_internal.import_position for update; -- a second caller waits here

  select b.created_at into newest
  from events_internal.platform_events_before b
  where b.created_at >= oldest and b.created_at <= place.created_at and (b.created_at, b.id) < (place.created_at, place.id)
  order by b.created_at desc, b.id desc limit 1;

  if newest is null then
    -- Who was deleted while the batch with their events was under way could not see them.
    for late in
      select d.user_id from events_internal.deleted_users d
      where exists (select from public.platform_events e where e.user_id = d.user_id)
        and not exists (select from auth.users u where u.id = d.user_id and u.deleted_at is null)
    loop
      perform events_internal.anonymise(late.user_id);
    end loop;
    return 0;
  end if;

  day := (newest at time zone 'UTC')::date;
  perform events_internal.create_day(day);

  -- A foreign key that sets user_id null waits for us, and the trigger on auth.users after it sees our rows. Locking the table, not
  -- its rows: the deletion takes those in an order of its own, and each would wait for the other (40P01: seen).
  lock table events_internal.platform_events_before in share mode;

  -- The session map goes first and in the order of the consumer's locks; the insert trigger then finds nothing left to do in it,
  -- and counts what was really inserted.
  with batch as materialized (
    select b.id, b.event_type::text as event_type, b.session_id::text as session_id, b.created_at,
           b.properties,
           case when exists (select from auth.users u where u.id = b.user_id and u.deleted_at is not null) then null
                else b.user_id end as user_id,
           pg_catalog.octet_length(b.event_type) <= 2000 and coalesce(pg_catalog.octet_length(b.session_id), 0) <= 2000 as fits
    from events_internal.platform_events_before b
    where b.created_at >= day::timestamp at time zone 'UTC'
      and b.created_at <= place.created_at and (b.created_at, b.id) < (place.created_at, place.id)
    order by b.created_at desc, b.id desc limit p_batch
  ), sessions as (
    insert into events_internal.session_users as s (session_id, session_key, user_id, user_key, first_created_at, first_id)
    select distinct on (b.session_id collate "C")
           b.session_id, events_internal.actor_key(null, b.session_id), b.user_id, events_internal.actor_key(b.user_id, null), b.created_at, b.id
    from batch b
    where b.fits and b.user_id is not null and b.session_id is not null
    order by b.session_id collate "C", b.created_at, b.id
    on conflict (session_id) do update
      set user_id = excluded.user_id, user_key = excluded.user_key,
          first_created_at = excluded.first_created_at, first_id = excluded.first_id
      where (excluded.first_created_at, excluded.first_id) < (s.first_created_at, s.first_id)
  ), copied as (
    insert into public.platform_events (id, event_type, user_id, session_id, properties, created_at, received_at, actor_key)
    select b.id, b.event_type, b.user_id, b.session_id, b.properties, b.created_at, b.created_at,
           events_internal.actor_key(b.user_id, b.session_id)
    from batch b
    where b.fits
    order by b.created_at, b.id
    on conflict (created_at, id) do nothing
    returning 1
  ), last_row as (
    select b.created_at, b.id from batch b order by b.created_at, b.id limit 1
  )
  update events_internal.import_position p
  set created_at = l.created_at, id = l.id, updated_at = now(),
      copied = p.copied + (select count(*) from copied),
      unfit = p.unfit + (select count(*) from batch b where not b.fits)
  from last_row l
  where p.only_row
  returning (select count(*) from batch) into looked_at;
  return looked_at;
end $$;
revoke all on function events_internal.import_before(int) from public, anon, authenticated, service_role;
grant execute on function events_internal.import_before(int) to events_owner;
comment on function events_internal.import_before(int) is
  'Copies rows of events_internal.platform_events_before into platform_events, newest first, back to 90 days: the same id and created_at, counted, in '
  'the session map. Returns how many it looked at; call it until that is 0. Example: select events_internal.import_before()';

set local role events_owner;

create function events_internal.import_status()
  returns table (copied bigint, to_do bigint, too_old bigint, in_future bigint, unfit bigint)
  language plpgsql stable set search_path = '' as $$
begin
  if pg_catalog.to_regclass('events_internal.platform_events_before') is null then
    return;
  end if;
  return query
    select coalesce(p.copied, 0),
           count(*) filter (where b.created_at >= w.oldest and b.created_at < w.ahead
                              and (p.id is null or (b.created_at, b.id) < (p.created_at, p.id))),
           count(*) filter (where b.created_at < w.oldest),
           count(*) filter (where b.created_at >= w.ahead),
           coalesce(p.unfit, 0)
    from (select pg_catalog.date_trunc('day', now() - interval '90 days', 'UTC') as oldest,
                 pg_catalog.date_trunc('day', now(), 'UTC') + interval '8 days' as ahead) w
    left join events_internal.import_position p on true
    left join events_internal.platform_events_before b on true
    group by p.copied, p.unfit;
end $$;
revoke all on function events_internal.import_status() from public, anon, authenticated, service_role;
comment on function events_internal.import_status() is
  'How far import_before has come: rows copied, rows to do, and rows that stay where they are (older than 90 days, more than a week ahead, unfit). '
  'No row where there is nothing to import.';

reset role;
