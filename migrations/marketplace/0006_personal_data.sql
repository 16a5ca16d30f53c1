-- Where personal data lies, who gets it, and what becomes of it when its owner leaves. The registry is a table, so that a platform registers
-- tables of its own with one insert, and so that unregistered_personal_tables() can tell which table nobody thought of.
--
-- Order of locks in forget_account, so that it waits for what the person has under way, and nothing of theirs begins behind it: one forgetting
-- of a person at a time; their guest sessions (convert_guest_to_user takes these first, too); then their row of auth.users FOR UPDATE: every
-- foreign key to it holds KEY SHARE until its transaction ends. So a chat or a booking that began before has ended and is seen, and one that
-- begins later fails (23503). Then the tables by position, then the analytics core, then the user.

create schema if not exists marketplace_internal;
revoke all on schema marketplace_internal from public, anon, authenticated;

do $$
begin
  if to_regprocedure('events_internal.forget(uuid, text[])') is null then
    raise exception 'the analytics core cannot forget anybody yet' using errcode = 'undefined_function',
      hint = 'Apply the core''s 0042_forget_actor.sql first: npx platform-events migrate';
  end if;
end $$;

create table if not exists marketplace_internal.personal_data (
  relation text primary key,
  position smallint not null default 20,
  export_as text unique check (export_as not in ('exported_at', 'user_id')),
  is_single boolean not null default false,
  export_where text[] not null default '{}',
  columns text[],
  omit text[] not null default '{}',
  on_forget text not null check (on_forget in ('delete', 'anonymise', 'cascade', 'core', 'keep', 'none')),
  anonymise_set text[],
  check (on_forget in ('core', 'none') or export_where <> '{}'),
  check ((on_forget = 'anonymise') = (anonymise_set is not null)),
  check (export_as is null or export_where <> '{}')
);
comment on table marketplace_internal.personal_data is
  'The registry of personal data: which rows of a table are a person''s, under which name they are exported (null: not), what becomes of them when the person is '
  'forgotten. A table that is absent is passed over. Example: insert into marketplace_internal.personal_data (relation, export_as, export_where, on_forget) '
  'values (''public.addresses'', ''addresses'', ''{t.user_id = $1}'', ''delete'')';
comment on column marketplace_internal.personal_data.relation is 'schema.table';
comment on column marketplace_internal.personal_data.position is 'What is forgotten first; what a table''s conditions look at is forgotten after it.';
comment on column marketplace_internal.personal_data.export_where is
  'SQL conditions over alias t, of which one makes a row the person''s. $1: the user (uuid). $2: their guest sessions (uuid[]). $3: their sessions in the analytics (text[]). '
  'One that names a column t.… which the table lacks is passed over.';
comment on column marketplace_internal.personal_data.is_single is 'There is one row at most, which is exported as an object and not as a list.';
comment on column marketplace_internal.personal_data.columns is 'Those that are exported, where not all are.';
comment on column marketplace_internal.personal_data.omit is
  'Not exported; metadata.device is one key of a jsonb column. What is called like a secret (token, secret, password, hash) never is, unless columns names it.';
comment on column marketplace_internal.personal_data.on_forget is
  'delete; anonymise, by anonymise_set; cascade: the foreign key''s, when the user is deleted; core: forget_actor''s; keep: not personal once the rest is gone; none: of nobody.';
comment on column marketplace_internal.personal_data.anonymise_set is 'Assignments, as in notes = null, with the same $1, $2, $3; one whose column is absent is passed over.';
revoke all on marketplace_internal.personal_data from public, anon, authenticated, service_role;

create table if not exists marketplace_internal.forget_receipts (
  receipt_id uuid primary key default gen_random_uuid(),
  forgotten_at timestamptz not null default clock_timestamp(),
  places jsonb not null
);
comment on table marketplace_internal.forget_receipts is 'That somebody was forgotten: when, where, how many rows. Not who.';
comment on column marketplace_internal.forget_receipts.places is '[{ "place": "public.bookings", "action": "anonymise", "n": 3 }, …]; n null: not reached.';
revoke all on marketplace_internal.forget_receipts from public, anon, authenticated, service_role;

insert into marketplace_internal.personal_data (relation, position, export_as, export_where, columns, omit, on_forget, anonymise_set, is_single) values
  ('public.amara_messages', 10, 'messages', array['t.conversation_id in (select c.id from public.amara_conversations c where c.user_id = $1)'], null, '{}', 'delete', null, false),
  ('marketplace_internal.chat_requests', 11, 'chat_requests', '{t.user_id = $1}', null, '{}', 'delete', null, false),
  ('public.amara_conversations', 12, 'conversations', '{t.user_id = $1}', null, '{}', 'delete', null, false),
  ('public.payments', 13, 'payments', array['t.booking_id in (select b.id from public.bookings b where b.customer_id = $1)'], null, '{}', 'keep', null, false),
  ('public.booking_reviews', 14, 'reviews', '{t.customer_id = $1}', null, '{}', 'anonymise', '{customer_id = null,body = null}', false),
  ('public.bookings', 15, 'bookings', '{t.customer_id = $1,t.customer_id is null and t.guest_session_id = any ($2)}', null, '{}', 'anonymise',
    '{customer_id = null,guest_session_id = marketplace_internal.guest_session_of_nobody(),notes = null,cancel_reason = null}', false),
  ('public.notifications', 16, 'notifications', '{t.user_id = $1}', null, '{}', 'delete', null, false),
  ('public.searches', 17, 'searches', '{t.user_id = $1,t.user_id is null and t.session_id = any ($3)}', null, '{}', 'delete', null, false),
  ('public.referrals', 18, 'referrals', '{t.referrer_id = $1,t.referred_id = $1}', null, '{}', 'cascade', null, false),
  ('marketplace_internal.unsent_events', 19, 'unsent_events', '{t.user_id = $1,t.user_id is null and t.session_id = any ($3)}', null, '{}', 'anonymise',
    array['user_id = null', 'session_id = null', 'properties = ''{}''', 'error = null'], false),
  ('public.guest_sessions', 30, 'guest_sessions', '{t.id = any ($2)}', null, '{metadata.device}', 'delete', null, false),
  ('public.platform_events', 40, 'events', '{t.user_id = $1,t.user_id is null and t.session_id = any ($3)}', null, '{}', 'core', null, false),
  ('events_internal.session_users', 40, null, '{}', null, '{}', 'core', null, false),
  ('events_internal.platform_events_before', 40, null, '{}', null, '{}', 'core', null, false),
  ('events_internal.dead_letters', 40, null, '{}', null, '{}', 'core', null, false),
  ('events_internal.quarantined_events', 40, null, '{}', null, '{}', 'core', null, false),
  ('events_internal.deleted_users', 40, null, '{}', null, '{}', 'core', null, false),
  ('events_internal.forgotten_sessions', 40, null, '{}', null, '{}', 'core', null, false),
  ('public.customers', 90, 'customer', '{t.id = $1}', null, '{}', 'delete', null, true),
  ('public.profiles', 91, 'profile', '{t.id = $1}', null, '{}', 'delete', null, true),
  ('auth.users', 99, 'account', '{t.id = $1}', '{id,email,phone,raw_user_meta_data,created_at,last_sign_in_at}', '{}', 'delete', null, true)
on conflict (relation) do nothing;

do $$
begin
  if to_regclass('public.guest_sessions') is not null then
    create index if not exists guest_sessions_converted_to_user_id_idx on public.guest_sessions ((metadata ->> 'converted_to_user_id'))
      where metadata ? 'converted_to_user_id';
  end if;
end $$;

create or replace function marketplace_internal.guest_sessions_of(p_user_id uuid) returns uuid[]
  language plpgsql stable set search_path = '' as $$
declare
  ids uuid[] := '{}';
begin
  if pg_catalog.to_regclass('public.guest_sessions') is null then
    return ids;
  end if;
  -- Not by email: anybody may type anybody's.
  ids := array(select g.id from public.guest_sessions g where g.metadata ? 'converted_to_user_id' and g.metadata ->> 'converted_to_user_id' = p_user_id::text);
  if exists (
    select from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass('public.bookings') and a.attname = 'guest_session_id' and not a.attisdropped)
  then
    ids := ids || array(select b.guest_session_id from public.bookings b where b.customer_id = p_user_id and b.guest_session_id is not null);
  end if;
  return array(select distinct i from pg_catalog.unnest(ids) i where i <> '00000000-0000-4000-8000-000000000000' order by 1);
end $$;
revoke all on function marketplace_internal.guest_sessions_of(uuid) from public, anon, authenticated, service_role;
comment on function marketplace_internal.guest_sessions_of(uuid) is 'The guest sessions that became this user''s, and those of their bookings.';

create or replace function marketplace_internal.analytics_sessions_of(p_user_id uuid, p_guest_sessions uuid[]) returns text[]
  language plpgsql stable set search_path = '' as $$
declare
  ids text[] := array(select s.session_id from events_internal.session_users s where s.user_id = p_user_id);
begin
  if p_guest_sessions <> '{}' then
    ids := ids || array(
      select i.id from public.guest_sessions g, lateral (values (g.id::text), (g.metadata ->> 'analytics_session_id')) i (id)
      where g.id = any (p_guest_sessions) and i.id is not null
        and not exists (select from events_internal.session_users s where s.session_id = i.id and s.user_id <> p_user_id));
  end if;
  return array(select distinct i from pg_catalog.unnest(ids) i order by 1);
end $$;
revoke all on function marketplace_internal.analytics_sessions_of(uuid, uuid[]) from public, anon, authenticated, service_role;
comment on function marketplace_internal.analytics_sessions_of(uuid, uuid[]) is
  'The sessions in the analytics that are a user''s, as the core says, and those of the user''s guest sessions which are no other user''s.';

-- Tables that a forced rollback or drop moved to marketplace_archive have names with a time in them: they are told by their columns.
create or replace function marketplace_internal.personal_tables() returns setof marketplace_internal.personal_data
  language sql stable set search_path = '' as $$
    select p.* from marketplace_internal.personal_data p
    where pg_catalog.to_regclass(p.relation) is not null
    union all
    select r.relation, (case when r.relation ~ '_messages(_|$)' then 4 else 5 end)::smallint, r.relation, false, r.conditions, null, '{}', 'delete', null
    from (
      select c.oid::regclass::text as relation, array(
          select case when a.attname in ('guest_session_id') then pg_catalog.format('t.%I::text = any (($2)::text[])', a.attname)
                      when a.attname = 'session_id' then pg_catalog.format('t.%I::text = any ($3)', a.attname)
                      when a.attname = 'conversation_id' then pg_catalog.format(
                        't.%I::text in (select c.id::text from marketplace_archive.%I c where c.user_id::text = ($1)::text)', a.attname, o.relname)
                      when a.attname = 'metadata' then pg_catalog.format('t.%I ->> ''converted_to_user_id'' = ($1)::text', a.attname)
                      else pg_catalog.format('t.%I::text = ($1)::text', a.attname) end
          from pg_catalog.pg_attribute a
          left join pg_catalog.pg_class o on a.attname = 'conversation_id' and o.relnamespace = c.relnamespace
            and o.relname ~ ('^' || (pg_catalog.regexp_match(c.relname, '^[a-z]+'))[1] || '_conversations(_|$)')
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and (a.attname in ('user_id', 'customer_id', 'reviewer_id', 'referrer_id', 'referred_id', 'guest_session_id', 'session_id')
              or a.attname = 'conversation_id' and o.oid is not null
              or a.attname = 'metadata' and a.atttypid = 'jsonb'::regtype and c.relname ~ '^guest_sessions(_|$)')
          order by a.attnum
        ) as conditions
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'marketplace_archive' and c.relkind = 'r'
    ) r
    where r.conditions <> '{}' and not exists (select from marketplace_internal.personal_data p where p.relation = r.relation)
    order by 2, 1
  $$;
revoke all on function marketplace_internal.personal_tables() from public, anon, authenticated, service_role;
comment on function marketplace_internal.personal_tables() is
  'The registry''s tables that are there, and those of marketplace_archive with a column that tells whose a row is; in the order in which they are forgotten.';

create or replace function marketplace_internal.has_columns(p_relation regclass, p_sql text) returns boolean
  language sql stable set search_path = '' as $$
    select not exists (
      select from pg_catalog.regexp_matches(p_sql, '\mt\.([a-z_0-9]+)', 'g') m
      where not exists (
        select from pg_catalog.pg_attribute a where a.attrelid = p_relation and a.attname = m[1] and a.attnum > 0 and not a.attisdropped)
    ) and not exists (
      select from pg_catalog.regexp_matches(p_sql, '(?:from|join) ([a-z_]+\.[a-z_0-9]+)', 'g') m where pg_catalog.to_regclass(m[1]) is null)
  $$;
revoke all on function marketplace_internal.has_columns(regclass, text) from public, anon, authenticated, service_role;
comment on function marketplace_internal.has_columns(regclass, text) is 'Whether a condition or an assignment of the registry speaks of what this database has.';

create or replace function marketplace_internal.personal_conditions(p_table marketplace_internal.personal_data, p_user_id uuid, p_guests uuid[], p_sessions text[])
  returns text[]
  language sql stable set search_path = '' as $$
    -- $3 last: its value may hold what looks like another.
    select coalesce(pg_catalog.array_agg(
      pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(c.condition,
        '$1', pg_catalog.format('%L::uuid', p_user_id)), '$2', pg_catalog.format('%L::uuid[]', p_guests)), '$3', pg_catalog.format('%L::text[]', p_sessions))
      order by c.n), '{}')
    from pg_catalog.unnest(p_table.export_where) with ordinality c (condition, n)
    where marketplace_internal.has_columns(pg_catalog.to_regclass(p_table.relation), c.condition)
  $$;
revoke all on function marketplace_internal.personal_conditions(marketplace_internal.personal_data, uuid, uuid[], text[]) from public, anon, authenticated, service_role;
comment on function marketplace_internal.personal_conditions(marketplace_internal.personal_data, uuid, uuid[], text[]) is
  'The conditions of a table of the registry that this database can answer, with their values in place.';

create or replace function marketplace_internal.export_queries(p_user_id uuid) returns table (export_as text, is_single boolean, query text)
  language plpgsql stable set search_path = '' as $$
declare
  guests constant uuid[] := marketplace_internal.guest_sessions_of(p_user_id);
  sessions constant text[] := marketplace_internal.analytics_sessions_of(p_user_id, guests);
  listed marketplace_internal.personal_data;
  conditions text[];
  selected text;
begin
  for listed in select * from marketplace_internal.personal_tables() p where p.export_as is not null order by p.position desc, p.relation loop
    conditions := marketplace_internal.personal_conditions(listed, p_user_id, guests, sessions);
    select pg_catalog.string_agg(
      case when k.keys is not null then pg_catalog.format('t.%I - %L::text[] as %I', a.attname, k.keys, a.attname)
           when a.atttypid = 'json'::regtype then pg_catalog.format('t.%I::jsonb as %I', a.attname, a.attname)
           else pg_catalog.format('t.%I', a.attname) end, ', ' order by a.attnum)
      into selected
    from pg_catalog.pg_attribute a
    left join lateral (
      select pg_catalog.array_agg(pg_catalog.split_part(o, '.', 2)) as keys from pg_catalog.unnest(listed.omit) o
      where pg_catalog.split_part(o, '.', 1) = a.attname and pg_catalog.split_part(o, '.', 2) <> ''
    ) k on true
    where a.attrelid = pg_catalog.to_regclass(listed.relation) and a.attnum > 0 and not a.attisdropped
      and case when listed.columns is not null then a.attname = any (listed.columns)
               else a.attname <> all (listed.omit) and a.attname !~* '(token|secret|password|hash)' end;
    continue when conditions = '{}' or selected is null;
    export_as := listed.export_as;
    is_single := listed.is_single;
    -- By parts, each with an index of its own, instead of an OR that may read everything.
    select pg_catalog.string_agg(
      pg_catalog.format('select %s from %s t where (%s)', selected, pg_catalog.to_regclass(listed.relation), c.condition)
        || case when c.n > 1 then pg_catalog.format(' and (%s) is not true', pg_catalog.array_to_string(conditions[1:c.n - 1], ' or ')) else '' end,
      ' union all ' order by c.n)
      into query
    from pg_catalog.unnest(conditions) with ordinality c (condition, n);
    return next;
  end loop;
end $$;
revoke all on function marketplace_internal.export_queries(uuid) from public, anon, authenticated, service_role;
comment on function marketplace_internal.export_queries(uuid) is
  'What a user''s export consists of: for each name the query of its rows, values in place, so that it fits into a COPY. '
  'Example: select export_as, query from marketplace_internal.export_queries(''10000000-0000-4000-8000-000000000001'')';

create or replace function marketplace_internal.forget_account(p_user_id uuid) returns marketplace_internal.forget_receipts
  language plpgsql volatile set search_path = '' as $$
declare
  guests uuid[];
  sessions text[];
  listed marketplace_internal.personal_data;
  conditions text[];
  condition text;
  assignments text;
  affected bigint;
  places jsonb := '[]';
  was_there boolean;
  receipt marketplace_internal.forget_receipts;
  cascading jsonb := '{}';
  said text;
begin
  if p_user_id is null then
    raise exception 'who is to be forgotten?' using errcode = 'null_value_not_allowed';
  end if;
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('marketplace_internal.forget_account'), pg_catalog.hashtext(p_user_id::text));
  guests := marketplace_internal.guest_sessions_of(p_user_id);
  if guests <> '{}' then
    perform from public.guest_sessions g where g.id = any (guests) order by g.id for update;
  end if;
  perform from auth.users u where u.id = p_user_id for update;
  was_there := found;
  -- Again: what was under way has ended.
  guests := marketplace_internal.guest_sessions_of(p_user_id);
  sessions := marketplace_internal.analytics_sessions_of(p_user_id, guests);

  for listed in select * from marketplace_internal.personal_tables() p order by p.position, p.relation loop
    if listed.relation = 'public.platform_events' then
      select places || pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)) into places from events_internal.forget(p_user_id, sessions) f;
    end if;
    continue when listed.on_forget in ('core', 'none');
    conditions := marketplace_internal.personal_conditions(listed, p_user_id, guests, sessions);
    continue when conditions = '{}';
    condition := pg_catalog.array_to_string(conditions, ' or ');
    if listed.on_forget in ('keep', 'cascade') then
      execute pg_catalog.format('select count(*) from %s t where %s', pg_catalog.to_regclass(listed.relation), condition) into affected;
      if listed.on_forget = 'cascade' then
        cascading := cascading || pg_catalog.jsonb_build_object(listed.relation, condition);
      end if;
    elsif listed.on_forget = 'delete' then
      execute pg_catalog.format('delete from %s t where %s', pg_catalog.to_regclass(listed.relation), condition);
      get diagnostics affected = row_count;
    else
      select pg_catalog.string_agg(a.assignment, ', ') into assignments from pg_catalog.unnest(listed.anonymise_set) a (assignment)
      where marketplace_internal.has_columns(pg_catalog.to_regclass(listed.relation), 't.' || pg_catalog.split_part(a.assignment, ' ', 1));
      -- What is not there needs no assignment: the guest session of nobody is made only for a booking.
      execute pg_catalog.format('select count(*) from %s t where %s', pg_catalog.to_regclass(listed.relation), condition) into affected;
      if affected > 0 then
        execute pg_catalog.format('update %s t set %s where %s', pg_catalog.to_regclass(listed.relation),
          (marketplace_internal.personal_conditions(pg_catalog.jsonb_populate_record(listed, pg_catalog.jsonb_build_object('export_where', array[assignments])),
            p_user_id, guests, sessions))[1], condition);
        get diagnostics affected = row_count;
      end if;
    end if;
    places := places || pg_catalog.jsonb_build_object('place', listed.relation, 'action', listed.on_forget, 'n', affected);
  end loop;

  for listed.relation, condition in select c.key, c.value from pg_catalog.jsonb_each_text(cascading) c loop
    execute pg_catalog.format('select count(*) from %s t where %s', pg_catalog.to_regclass(listed.relation), condition) into affected;
    if affected > 0 then
      raise exception '% still has % rows of the person', listed.relation, affected using errcode = 'integrity_constraint_violation',
        hint = 'Its foreign key does not cascade: say in marketplace_internal.personal_data what becomes of them.';
    end if;
  end loop;

  receipt.forgotten_at := pg_catalog.clock_timestamp();
  receipt.places := places;
  if was_there then
    insert into marketplace_internal.forget_receipts (forgotten_at, places) values (receipt.forgotten_at, places) returning receipt_id into receipt.receipt_id;
  end if;
  return receipt;
exception
  when not_null_violation or foreign_key_violation then
    get stacked diagnostics said = message_text;
    raise exception 'nothing was forgotten: %', said using errcode = sqlstate,
      hint = 'A table keeps the person by a rule of its own. Apply 0004_guest_bookings.sql for bookings; register others in marketplace_internal.personal_data.';
end $$;
revoke all on function marketplace_internal.forget_account(uuid) from public, anon, authenticated, service_role;
comment on function marketplace_internal.forget_account(uuid) is
  'Deletes a user and all that the registry knows of them, in one transaction, and leaves a receipt without the person in it; receipt_id is null where there was no such '
  'user (then what was left of them is forgotten all the same). Example: select * from marketplace_internal.forget_account(''10000000-0000-4000-8000-000000000001'')';

create or replace function marketplace_internal.unregistered_personal_tables() returns table (relation text, because text)
  language sql stable set search_path = '' as $$
    select c.oid::regclass::text, pg_catalog.string_agg(distinct b.because, ', ' order by b.because)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    cross join lateral (
      select pg_catalog.format('column %s', a.attname) as because
      from pg_catalog.pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        and a.attname in ('user_id', 'customer_id', 'referrer_id', 'referred_id', 'reviewer_id', 'author_id', 'owner_id', 'profile_id', 'email', 'phone',
          'session_id', 'session_token', 'guest_session_id', 'guest_id')
      union all
      select pg_catalog.format('foreign key to %s', f.confrelid::regclass)
      from pg_catalog.pg_constraint f
      where f.conrelid = c.oid and f.contype = 'f'
        and f.confrelid in ('auth.users'::regclass, pg_catalog.to_regclass('public.guest_sessions'), pg_catalog.to_regclass('public.profiles'))
    ) b
    where c.relkind in ('r', 'p') and not c.relispartition
      and n.nspname in ('public', 'marketplace_internal', 'events_internal', 'marketplace_archive')
      and not (n.nspname = 'events_internal' and c.relname ~ '^platform_events_[0-9]{8}$')
      and not exists (select from marketplace_internal.personal_tables() p where pg_catalog.to_regclass(p.relation) = c.oid)
    group by c.oid
    order by 1
  $$;
revoke all on function marketplace_internal.unregistered_personal_tables() from public, anon, authenticated, service_role;
comment on function marketplace_internal.unregistered_personal_tables() is
  'Tables that look as if they had somebody''s data and are not in the registry: they would be left out of exports, and stay when their owner is forgotten. Register each, with '
  'on_forget none where it is nobody''s. Example: select * from marketplace_internal.unregistered_personal_tables()';
