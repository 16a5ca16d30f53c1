-- What the other files of this module stand on: the internal schema, the right to act as the API's roles, the trigger function that a
-- platform on Supabase mostly has already, and, for development and tests alone, the least form of the platform's own tables.
--
-- Everything here and in the other files belongs to the login that migrates. Every file may be run again by hand.

create schema if not exists marketplace_internal;
comment on schema marketplace_internal is 'Function bodies and internal tables of the marketplace module. Not for API roles.';
revoke all on schema marketplace_internal from public, anon, authenticated;

-- The service reads and writes a signed-in user's rows as `authenticated`, so that row level security is its second lock; for that its login
-- must be a member. On Supabase `postgres` is one. After CREATE ROLE the creator is not: from 16 on it has ADMIN alone, without SET.
do $$
declare
  api_role text;
  acting_as constant text := case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
begin
  foreach api_role in array array['anon', 'authenticated', 'service_role'] loop
    for attempt in 1..10 loop
      begin
        if not pg_has_role(current_user, api_role, acting_as) then
          execute format('grant %I to current_user', api_role);
        end if;
        exit;
      exception
        when insufficient_privilege then
          raise warning 'this login may not act as %', api_role
            using hint = format('As a superuser: grant %I to %I', api_role, current_user);
          exit;
        when unique_violation or internal_error then
          -- "tuple concurrently updated": the same grant from another database of the cluster; look again
          if attempt = 10 then raise; end if;
          perform pg_sleep(0.05);
      end;
    end loop;
  end loop;
end $$;

do $$
begin
  if to_regprocedure('public.handle_updated_at()') is null then
    create function public.handle_updated_at() returns trigger language plpgsql set search_path = '' as $body$
    begin
      new.updated_at := now();
      return new;
    end $body$;
    revoke all on function public.handle_updated_at() from public, anon, authenticated, service_role;
    comment on function public.handle_updated_at() is
      'Made by the marketplace module. For a trigger before update: sets updated_at. Example: create trigger t before update on x for each row execute function public.handle_updated_at();';
  end if;
end $$;

-- For the rollbacks: no row of a table of ours is lost by one. Never cascades, so what others built on the table stays, and refuses.
create or replace function marketplace_internal.remove_table(p_table text) returns void
language plpgsql set search_path = '' as $body$
declare
  kept bigint;
  archive text;
begin
  if to_regclass(p_table) is null then return; end if;
  execute format('lock table %s in access exclusive mode', to_regclass(p_table));
  execute format('select count(*) from %s', to_regclass(p_table)) into kept;
  if kept > 0 and current_setting('marketplace.force', true) is distinct from 'on' then
    raise exception '% holds % rows', p_table, kept
      using hint = 'With --force they are copied to the schema marketplace_archive first.';
  end if;
  if kept > 0 then
    if to_regnamespace('marketplace_archive') is null then
      create schema marketplace_archive;
      revoke all on schema marketplace_archive from public, anon, authenticated, service_role;
      comment on schema marketplace_archive is
        'Rows of tables that were dropped by force. May hold personal data, and nothing forgets or exports it here: drop what is not needed.';
    end if;
    archive := format('marketplace_archive.%I',
      (parse_ident(p_table))[array_upper(parse_ident(p_table), 1)] || to_char(clock_timestamp() at time zone 'UTC', '_YYYYMMDD_HH24MISS_US'));
    execute format('create table %s as table %s', archive, to_regclass(p_table));
    execute format('revoke all on %s from public, anon, authenticated, service_role', archive);
  end if;
  execute format('drop table %s', to_regclass(p_table));
end $body$;
revoke all on function marketplace_internal.remove_table(text) from public, anon, authenticated, service_role;
comment on function marketplace_internal.remove_table(text) is
  'Drops a table of the module''s. Refuses while it holds rows; with marketplace.force = on copies them to marketplace_archive.<table>_<time> first.';

-- The way back of it, for the file that makes the table again.
create or replace function marketplace_internal.take_back_rows(p_table text) returns bigint
language plpgsql set search_path = '' as $body$
declare
  -- Not what the database numbers itself: the numbers may be given anew by now.
  column_names text;
  archive regclass;
  n bigint;
  kept bigint;
  taken bigint := 0;
begin
  for archive in
    select c.oid from pg_class c
    where c.relnamespace = to_regnamespace('marketplace_archive') and c.relkind = 'r'
      and c.relname ~ ('^' || (parse_ident(p_table))[array_upper(parse_ident(p_table), 1)] || '_\d{8}_\d{6}_\d{6}$')
    order by c.relname
  loop
    column_names := (
      select string_agg(format('%I', a.attname), ', ' order by a.attnum) from pg_attribute a
      where a.attrelid = to_regclass(p_table) and a.attnum > 0 and not a.attisdropped and a.attidentity = ''
        and exists (select from pg_attribute o where o.attrelid = archive and o.attname = a.attname and not o.attisdropped));
    execute format('select count(*) from %s', archive) into kept;
    execute format('insert into %1$s (%2$s) select %2$s from %3$s on conflict do nothing', to_regclass(p_table), column_names, archive);
    get diagnostics n = row_count;
    taken := taken + n;
    if n = kept then
      execute format('drop table %s', archive);
    else
      raise notice '% of % rows of % are there already, and it stays', kept - n, kept, archive;
    end if;
  end loop;
  return taken;
end $body$;
revoke all on function marketplace_internal.take_back_rows(text) from public, anon, authenticated, service_role;
comment on function marketplace_internal.take_back_rows(text) is
  'Takes back into a table what remove_table() put aside of it; returns how many rows. An archive goes once all its rows are in.';

-- The platform's own tables. Their comment begins with the same words everywhere: the rollback knows ours by them.
do $$
declare
  made text[] := '{}';
  minimal text;
begin
  if current_setting('marketplace.development', true) is distinct from 'on' then return; end if;

  if to_regclass('public.customers') is null then
    create table public.customers (
      id uuid primary key references auth.users (id) on delete cascade,
      full_name text,
      phone text,
      created_at timestamptz not null default now()
    );
    made := made || 'customers'::text;
  end if;

  if to_regclass('public.bookings') is null then
    create table public.bookings (
      id uuid primary key default gen_random_uuid(),
      customer_id uuid not null references auth.users (id),
      professional_id uuid,
      service text,
      city text,
      status text not null default 'pending' check (status in ('pending', 'confirmed', 'completed', 'cancelled')),
      subtotal integer,
      total integer,
      deposit_type text,
      deposit_captured boolean not null default false,
      cancel_reason text,
      cancelled_by text check (cancelled_by in ('customer', 'professional', 'system')),
      refund_amount integer,
      notes text,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );
    create index bookings_customer_id_idx on public.bookings (customer_id);
    create trigger set_bookings_updated_at before update on public.bookings
      for each row execute function public.handle_updated_at();
    made := made || 'bookings'::text;
  end if;

  if to_regclass('public.referrals') is null then
    create table public.referrals (
      id uuid primary key default gen_random_uuid(),
      referrer_id uuid not null references auth.users (id) on delete cascade,
      referred_id uuid references auth.users (id) on delete set null,
      status text not null default 'pending',
      referrer_credit_amount integer not null default 0,
      created_at timestamptz not null default now()
    );
    create index referrals_referrer_id_idx on public.referrals (referrer_id);
    create index referrals_referred_id_idx on public.referrals (referred_id);
    made := made || 'referrals'::text;
  end if;

  if to_regclass('public.notifications') is null then
    create table public.notifications (
      id uuid primary key default gen_random_uuid(),
      user_id uuid not null references auth.users (id) on delete cascade,
      title text,
      body text,
      read_at timestamptz,
      created_at timestamptz not null default now()
    );
    create index notifications_user_id_idx on public.notifications (user_id);
    made := made || 'notifications'::text;
  end if;

  if to_regclass('public.searches') is null then
    create table public.searches (
      id uuid primary key default gen_random_uuid(),
      user_id uuid references auth.users (id) on delete cascade,
      session_id text,
      city text,
      service text,
      lat double precision,
      lng double precision,
      device text,
      created_at timestamptz not null default now()
    );
    create index searches_user_id_idx on public.searches (user_id);
    made := made || 'searches'::text;
  end if;

  if to_regclass('public.payments') is null then
    create table public.payments (
      id uuid primary key default gen_random_uuid(),
      booking_id uuid not null references public.bookings (id) on delete cascade,
      method text,
      success boolean not null default false,
      error_code text,
      amount integer,
      created_at timestamptz not null default now()
    );
    create index payments_booking_id_idx on public.payments (booking_id);
    made := made || 'payments'::text;
  end if;

  if to_regclass('public.booking_reviews') is null then
    create table public.booking_reviews (
      id uuid primary key default gen_random_uuid(),
      booking_id uuid not null references public.bookings (id) on delete cascade,
      customer_id uuid references auth.users (id) on delete set null,
      rating integer,
      body text,
      created_at timestamptz not null default now()
    );
    create index booking_reviews_booking_id_idx on public.booking_reviews (booking_id);
    create index booking_reviews_customer_id_idx on public.booking_reviews (customer_id);
    made := made || 'booking_reviews'::text;
  end if;

  foreach minimal in array made loop
    execute format('alter table public.%I enable row level security', minimal);
    execute format('revoke all on public.%I from public, anon, authenticated, service_role', minimal);
    execute format('grant select, insert, update, delete on public.%I to service_role', minimal);
    execute format('create policy "The service role manages %s" on public.%I for all to service_role using (true) with check (true)', minimal, minimal);
    execute format('comment on table public.%I is %L', minimal, 'Minimal form for development and tests, made by the marketplace module: the platform brings its own.');
  end loop;

  -- What a signed-in user may do, and to which rows.
  for minimal in select unnest(made) loop
    case minimal
      when 'customers' then
        grant select, insert, update on public.customers to authenticated;
        create policy "Users read themselves" on public.customers for select to authenticated using (id = (select auth.uid()));
        create policy "Users make themselves" on public.customers for insert to authenticated with check (id = (select auth.uid()));
        create policy "Users change themselves" on public.customers for update to authenticated
          using (id = (select auth.uid())) with check (id = (select auth.uid()));
      when 'bookings' then
        grant select, insert, update on public.bookings to authenticated;
        create policy "Users read their bookings" on public.bookings for select to authenticated using (customer_id = (select auth.uid()));
        create policy "Users make their bookings" on public.bookings for insert to authenticated with check (customer_id = (select auth.uid()));
        create policy "Users change their bookings" on public.bookings for update to authenticated
          using (customer_id = (select auth.uid())) with check (customer_id = (select auth.uid()));
      when 'referrals' then
        grant select on public.referrals to authenticated;
        create policy "Users read their referrals" on public.referrals for select to authenticated using (referrer_id = (select auth.uid()));
      when 'notifications' then
        grant select, update on public.notifications to authenticated;
        create policy "Users read their notifications" on public.notifications for select to authenticated using (user_id = (select auth.uid()));
        create policy "Users change their notifications" on public.notifications for update to authenticated
          using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
      when 'searches' then
        grant select, insert on public.searches to authenticated;
        create policy "Users read their searches" on public.searches for select to authenticated using (user_id = (select auth.uid()));
        create policy "Users make their searches" on public.searches for insert to authenticated with check (user_id = (select auth.uid()));
      when 'payments' then
        grant select on public.payments to authenticated;
        create policy "Users read the payments of their bookings" on public.payments for select to authenticated
          using (booking_id in (select id from public.bookings where customer_id = (select auth.uid())));
      when 'booking_reviews' then
        grant select, insert on public.booking_reviews to authenticated;
        create policy "Users read their reviews" on public.booking_reviews for select to authenticated using (customer_id = (select auth.uid()));
        create policy "Users review their bookings" on public.booking_reviews for insert to authenticated
          with check (customer_id = (select auth.uid())
            and booking_id in (select id from public.bookings where customer_id = (select auth.uid())));
    end case;
  end loop;
end $$;
