-- Rows that do not come through the consumer: the customer's browsers insert straight into the table, and people with the
-- right to do so delete and correct rows. Both must count everywhere.

set local role events_owner;

-- The rollup row of a direct insert. A shard is used by one transaction at a time: the first whose lock is free, -1 when
-- nobody else is inserting. So two batches with the same types in another order cannot deadlock (a deadlock would lose a
-- browser's event), and a long import by SQL blocks no browser. Holding a shard, one always gets it again.
create function events_internal.lock_direct_shard() returns smallint
  language plpgsql volatile set search_path = '' as $$
begin
  for shard in reverse -1 .. -64 loop
    if pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtext('event_rollup_hourly'), shard) then
      return shard;
    end if;
  end loop;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('event_rollup_hourly'), -1);
  return -1;
end $$;
revoke all on function events_internal.lock_direct_shard() from public, anon, authenticated, service_role;
comment on function events_internal.lock_direct_shard() is 'A shard of the rollup (-1 … -64) that no other transaction writes to until this one ends.';

-- AFTER and not BEFORE: a BEFORE trigger costs every COPY 20 % (it forbids multi-row inserts), WHEN (source_id = 0) on an
-- AFTER trigger nothing. Definer, because it runs as anon or authenticated, who can neither read nor update.
create function events_internal.complete_direct_insert() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  own_key constant bigint := events_internal.actor_key(new.user_id, new.session_id);
begin
  if new.actor_key is distinct from own_key then
    update public.platform_events e set actor_key = own_key
    where e.created_at = new.created_at and e.id = new.id;
  end if;

  insert into events_internal.event_rollup_hourly as r (hour, event_type, shard, n)
  values (pg_catalog.date_trunc('hour', new.created_at, 'UTC'), new.event_type, events_internal.lock_direct_shard(), 1)
  on conflict (hour, event_type, shard) do update set n = r.n + 1;

  -- ON CONFLICT locks the row even where its WHERE then says no, and consumers lock sessions in key order while a batch of
  -- direct inserts comes in any order: so look first, and lock only what has to change.
  if new.user_id is not null and new.session_id is not null and not exists (
    select from events_internal.session_users s
    where s.session_id = new.session_id and (s.first_created_at, s.first_id) <= (new.created_at, new.id)
  ) then
    insert into events_internal.session_users as s (session_id, session_key, user_id, user_key, first_created_at, first_id)
    values (new.session_id, events_internal.actor_key(null, new.session_id), new.user_id, own_key, new.created_at, new.id)
    on conflict (session_id) do update
      set user_id = excluded.user_id, user_key = excluded.user_key,
          first_created_at = excluded.first_created_at, first_id = excluded.first_id
      where (excluded.first_created_at, excluded.first_id) < (s.first_created_at, s.first_id);
  end if;
  return null;
end $$;
revoke all on function events_internal.complete_direct_insert() from public, anon, authenticated, service_role;
comment on function events_internal.complete_direct_insert() is 'Gives a row inserted by SQL what the consumer gives its rows: actor_key, rollup, session map.';

create trigger complete_direct_insert after insert on public.platform_events
  for each row when (new.source_id = 0) execute function events_internal.complete_direct_insert();

-- A row keeps its derived column when somebody corrects it, and its day: moved to another partition it would be counted twice.
create function events_internal.check_update() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
begin
  if pg_catalog.date_trunc('day', new.created_at, 'UTC') <> pg_catalog.date_trunc('day', old.created_at, 'UTC') then
    raise exception 'an event cannot move from one UTC day to another' using errcode = 'feature_not_supported',
      hint = 'Delete it and insert it again.';
  end if;
  new.actor_key := events_internal.actor_key(new.user_id, new.session_id);
  return new;
end $$;
revoke all on function events_internal.check_update() from public, anon, authenticated, service_role;
comment on function events_internal.check_update() is 'Recomputes actor_key of a corrected row; refuses to move it to another day.';

create trigger check_update before update of user_id, session_id, created_at on public.platform_events
  for each row execute function events_internal.check_update();

-- Deleted and corrected rows go through the rollup, too. By statement, because updating one rollup row once per deleted row
-- is quadratic. Only statements on public.platform_events: whoever deletes from a partition directly goes round it.
create function events_internal.subtract_deleted() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  own_shard constant smallint := events_internal.lock_direct_shard();
begin
  insert into events_internal.event_rollup_hourly as r (hour, event_type, shard, n)
  select pg_catalog.date_trunc('hour', d.created_at, 'UTC'), d.event_type, own_shard, -count(*)
  from deleted d
  group by 1, 2
  on conflict (hour, event_type, shard) do update set n = r.n + excluded.n;
  return null;
end $$;
revoke all on function events_internal.subtract_deleted() from public, anon, authenticated, service_role;
comment on function events_internal.subtract_deleted() is 'Takes deleted rows out of the rollup.';

create trigger subtract_deleted after delete on public.platform_events
  referencing old table as deleted
  for each statement execute function events_internal.subtract_deleted();

create function events_internal.recount_updated() returns trigger
  language plpgsql volatile security definer set search_path = '' as $$
declare
  own_shard constant smallint := events_internal.lock_direct_shard();
begin
  insert into events_internal.event_rollup_hourly as r (hour, event_type, shard, n)
  select c.hour, c.event_type, own_shard, sum(c.n)
  from (
    select pg_catalog.date_trunc('hour', b.created_at, 'UTC') as hour, b.event_type, -count(*) as n from before b group by 1, 2
    union all
    select pg_catalog.date_trunc('hour', a.created_at, 'UTC'), a.event_type, count(*) from after a group by 1, 2
  ) c
  group by 1, 2 having sum(c.n) <> 0
  on conflict (hour, event_type, shard) do update set n = r.n + excluded.n;
  return null;
end $$;
revoke all on function events_internal.recount_updated() from public, anon, authenticated, service_role;
comment on function events_internal.recount_updated() is 'Moves corrected rows to their new hour or type in the rollup.';

-- Depth 0: what triggers update (actor_key here, user_id on a user's deletion) changes neither hour nor type.
create trigger recount_updated after update on public.platform_events
  referencing old table as before new table as after
  for each statement when (pg_trigger_depth() = 0) execute function events_internal.recount_updated();

reset role;
