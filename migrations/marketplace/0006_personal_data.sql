-- Where personal data lies, who gets it, and what becomes of it when its owner leaves. The registry is a table, so that a platform registers
-- tables of its own with one insert, and so that unregistered_personal_tables() can tell which table or column nobody thought of.
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
  relation text not null,
  part text not null default '',
  position smallint not null default 20,
  export_as text unique check (export_as not in ('exported_at', 'user_id')),
  is_single boolean not null default false,
  export_where text[] not null default '{}',
  columns text[],
  omit text[] not null default '{}',
  on_forget text not null check (on_forget in ('delete', 'anonymise', 'cascade', 'core', 'keep', 'none')),
  anonymise_set text[],
  not_personal text[] not null default '{}',
  shipped text,
  primary key (relation, part),
  check (on_forget in ('core', 'none') or export_where <> '{}'),
  check ((on_forget = 'anonymise') = (anonymise_set is not null)),
  check (export_as is null or export_where <> '{}')
);
comment on table marketplace_internal.personal_data is
  'The registry of personal data: which rows of a table are a person''s, under which name they are exported (null: not), what becomes of them when the person is '
  'forgotten. A table that is absent is passed over. Example: insert into marketplace_internal.personal_data (relation, export_as, export_where, on_forget) '
  'values (''public.addresses'', ''addresses'', ''{t.user_id = $1}'', ''delete'')';
comment on column marketplace_internal.personal_data.relation is 'schema.table';
comment on column marketplace_internal.personal_data.part is
  'Where a row is a person''s in more than one way, as a booking is its customer''s and its professional''s: a name for this way.';
comment on column marketplace_internal.personal_data.position is 'What is forgotten first; what a table''s conditions look at is forgotten after it.';
comment on column marketplace_internal.personal_data.export_where is
  'SQL conditions over alias t, of which one makes a row the person''s. $1: the user (uuid). $2: their guest sessions (uuid[]). $3: their sessions in the analytics (text[]). '
  'One that names a column by its alias (t.…, b.…) which is not there, or of another type, is passed over; where none is left, nobody is forgotten until that is mended.';
comment on column marketplace_internal.personal_data.is_single is 'There is one row at most, which is exported as an object and not as a list.';
comment on column marketplace_internal.personal_data.columns is 'Those that are exported, where not all are.';
comment on column marketplace_internal.personal_data.omit is
  'Not exported; metadata.device is one key of a jsonb column. What is called like a secret (token, secret, password, hash) never is, unless columns names it.';
comment on column marketplace_internal.personal_data.on_forget is
  'delete; anonymise, by anonymise_set; cascade: the foreign key''s, when the user is deleted; core: forget_actor''s; keep: not personal once the rest is gone; none: of nobody.';
comment on column marketplace_internal.personal_data.anonymise_set is
  'Assignments, as in notes = null, with the same $1, $2, $3; one whose column is absent is passed over. With "where nullable" at its end also one whose column is not null.';
comment on column marketplace_internal.personal_data.not_personal is
  'Of a table whose rows stay: columns that may stay as they are. What is neither here nor in anonymise_set nor in omit, and no number, time, boolean or enum, '
  'is named by unregistered_personal_tables() and in every receipt.';
comment on column marketplace_internal.personal_data.shipped is
  'A checksum of what the migration wrote: a rollback removes the row while it is still that. null: the platform''s own.';
revoke all on marketplace_internal.personal_data from public, anon, authenticated, service_role;

create table if not exists marketplace_internal.forget_receipts (
  receipt_id uuid primary key default gen_random_uuid(),
  forgotten_at timestamptz not null default clock_timestamp(),
  places jsonb not null
);
comment on table marketplace_internal.forget_receipts is 'That somebody was forgotten: when, where, how many rows. Not who.';
comment on column marketplace_internal.forget_receipts.places is '[{ "place": "public.bookings", "action": "anonymise", "n": 3 }, …]; n null: not reached.';
revoke all on marketplace_internal.forget_receipts from public, anon, authenticated, service_role;

-- What a forced rollback put aside; before our own rows, of which a changed one takes the place.
do $$
begin
  if to_regprocedure('marketplace_internal.take_back_rows(text)') is not null then
    perform marketplace_internal.take_back_rows('marketplace_internal.personal_data'), marketplace_internal.take_back_rows('marketplace_internal.forget_receipts');
  end if;
end $$;

insert into marketplace_internal.personal_data
  (relation, part, position, export_as, export_where, columns, omit, on_forget, anonymise_set, not_personal, is_single, shipped)
select v.*, 'now' from (values
  ('public.amara_messages', '', 10, 'messages', array['t.conversation_id in (select c.id from public.amara_conversations c where c.user_id = $1)'],
    null::text[], '{}'::text[], 'delete', null::text[], '{}'::text[], false),
  ('marketplace_internal.chat_requests', '', 11, 'chat_requests', '{t.user_id = $1}', null, '{}', 'delete', null, '{}', false),
  ('public.amara_conversations', '', 12, 'conversations', '{t.user_id = $1}', null, '{}', 'delete', null, '{}', false),
  ('public.payments', '', 13, 'payments',
    array['t.booking_id in (select b.id from public.bookings b where b.customer_id = $1)',
      't.booking_id in (select b.id from public.bookings b where b.customer_id is null and b.guest_session_id = any ($2))'],
    null, '{}', 'keep', null, '{id,booking_id,method,error_code}', false),
  -- Also what a guest wrote: nobody gives it a customer when they sign up.
  ('public.booking_reviews', '', 14, 'reviews',
    array['t.customer_id = $1', 't.customer_id is null and t.booking_id in (select b.id from public.bookings b where b.customer_id = $1)',
      't.customer_id is null and t.booking_id in (select b.id from public.bookings b where b.customer_id is null and b.guest_session_id = any ($2))'],
    null, '{}', 'anonymise', '{customer_id = null,body = null}', '{id,booking_id}', false),
  ('public.bookings', '', 15, 'bookings', '{t.customer_id = $1,t.customer_id is null and t.guest_session_id = any ($2)}', null, '{}', 'anonymise',
    '{customer_id = null,guest_session_id = marketplace_internal.guest_session_of_nobody(),notes = null,cancel_reason = null}',
    '{id,service,city,status,deposit_type,cancelled_by}', false),
  -- A professional's, as far as it is not the customer's. As text: not everywhere a professional has the user's id, or a uuid.
  ('public.bookings', 'jobs', 15, 'jobs', '{t.professional_id::text = ($1)::text}',
    '{id,professional_id,service,city,status,subtotal,total,deposit_type,deposit_captured,cancelled_by,refund_amount,created_at,updated_at}',
    '{}', 'anonymise', '{professional_id = null where nullable}', '{}', false),
  ('public.notifications', '', 16, 'notifications', '{t.user_id = $1}', null, '{}', 'delete', null, '{}', false),
  ('public.searches', '', 17, 'searches', '{t.user_id = $1,t.user_id is null and t.session_id = any ($3)}', null, '{}', 'delete', null, '{}', false),
  ('public.referrals', '', 18, 'referrals', '{t.referrer_id = $1,t.referred_id = $1}', null, '{}', 'cascade', null, '{}', false),
  ('marketplace_internal.unsent_events', '', 19, 'unsent_events', '{t.user_id = $1,t.user_id is null and t.session_id = any ($3)}', null, '{}', 'anonymise',
    array['user_id = null', 'session_id = null', 'properties = ''{}''', 'error = null'], '{event_id,event_type,sqlstate}', false),
  ('public.guest_sessions', '', 30, 'guest_sessions', '{t.id = any ($2)}', null, '{metadata.device}', 'delete', null, '{}', false),
  ('public.platform_events', '', 40, 'events', '{t.user_id = $1,t.user_id is null and t.session_id = any ($3)}', null, '{}', 'core', null, '{}', false),
  ('events_internal.session_users', '', 40, null, '{}', null, '{}', 'core', null, '{}', false),
  ('events_internal.platform_events_before', '', 40, null, '{}', null, '{}', 'core', null, '{}', false),
  ('events_internal.dead_letters', '', 40, null, '{}', null, '{}', 'core', null, '{}', false),
  ('events_internal.quarantined_events', '', 40, null, '{}', null, '{}', 'core', null, '{}', false),
  ('events_internal.deleted_users', '', 40, null, '{}', null, '{}', 'core', null, '{}', false),
  ('events_internal.forgotten_sessions', '', 40, null, '{}', null, '{}', 'core', null, '{}', false),
  ('public.customers', '', 90, 'customer', '{t.id = $1}', null, '{}', 'delete', null, '{}', true),
  ('public.profiles', '', 91, 'profile', '{t.id = $1}', null, '{}', 'delete', null, '{}', true),
  ('auth.users', '', 99, 'account', '{t.id = $1}', '{id,email,phone,raw_user_meta_data,created_at,last_sign_in_at}', '{}', 'delete', null, '{}', true)
) v
on conflict do nothing;
update marketplace_internal.personal_data p set shipped = md5((to_jsonb(p) - 'shipped')::text) where p.shipped = 'now';

do $$
begin
  if to_regclass('public.guest_sessions') is not null then
    create index if not exists guest_sessions_converted_to_user_id_idx on public.guest_sessions ((metadata ->> 'converted_to_user_id'))
      where metadata ? 'converted_to_user_id';
  end if;
end $$;

-- By what convert_guest_to_user() wrote alone. Not by email: anybody may type anybody's. Nor by the guest_session_id of a user's own bookings,
-- which they may write themselves.
create or replace function marketplace_internal.guest_sessions_of(p_user_id uuid) returns uuid[]
  language plpgsql stable set search_path = '' as $$
begin
  if pg_catalog.to_regclass('public.guest_sessions') is null then
    return '{}';
  end if;
  return array(
    select g.id from public.guest_sessions g
    where g.metadata ? 'converted_to_user_id' and g.metadata ->> 'converted_to_user_id' = p_user_id::text
      and g.id <> '00000000-0000-4000-8000-000000000000'
    order by 1);
end $$;
revoke all on function marketplace_internal.guest_sessions_of(uuid) from public, anon, authenticated, service_role;
comment on function marketplace_internal.guest_sessions_of(uuid) is 'The guest sessions that became this user''s.';

create or replace function marketplace_internal.analytics_sessions_of(p_user_id uuid, p_guest_sessions uuid[]) returns text[]
  language plpgsql stable set search_path = '' as $$
declare
  ids text[] := array(select s.session_id from events_internal.session_users s where s.user_id = p_user_id);
begin
  if p_guest_sessions <> '{}' then
    ids := ids || array(
      select i.id from pg_catalog.unnest(p_guest_sessions) p (id)
      left join public.guest_sessions g on g.id = p.id
      cross join lateral (values (p.id::text), (g.metadata ->> 'analytics_session_id')) i (id)
      where i.id is not null
        and not exists (select from events_internal.session_users s where s.session_id = i.id and s.user_id is distinct from p_user_id));
  end if;
  return array(select distinct i from pg_catalog.unnest(ids) i order by 1);
end $$;
revoke all on function marketplace_internal.analytics_sessions_of(uuid, uuid[]) from public, anon, authenticated, service_role;
comment on function marketplace_internal.analytics_sessions_of(uuid, uuid[]) is
  'The sessions in the analytics that are a user''s (null: nobody''s), as the core says, and those of these guest sessions which are no other user''s.';

-- To whom a session belongs is a matter of counting, and whoever has its id can become its first user by an event of theirs. That is too
-- little to show them what somebody else has done in it.
create or replace function marketplace_internal.unshared_sessions(p_user_id uuid, p_sessions text[]) returns text[]
  language sql stable set search_path = '' set enable_seqscan = off as $$
    select array(
      select s.id from pg_catalog.unnest(p_sessions) s (id)
      where not exists (select from public.platform_events e where e.session_id = s.id and e.user_id <> p_user_id)
      order by 1)
  $$;
revoke all on function marketplace_internal.unshared_sessions(uuid, text[]) from public, anon, authenticated, service_role;
comment on function marketplace_internal.unshared_sessions(uuid, text[]) is 'Those of these sessions in which no event is another user''s.';

-- Tables that a forced rollback or drop moved to marketplace_archive have names with a time in them: they are told by their columns. A row that
-- names nobody else goes; one that does is that person's, too, and stays without this one.
create or replace function marketplace_internal.personal_tables() returns setof marketplace_internal.personal_data
  language sql stable set search_path = '' as $$
    with archived as (
      select c.oid, c.oid::regclass::text as relation, (case when c.relname ~ '_messages(_|$)' then 4 else 5 end)::smallint as position,
        array(
          select pg_catalog.quote_ident(a.attname) from pg_catalog.pg_attribute a
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and pg_catalog.lower(a.attname) = any (
            '{user_id,customer_id,reviewer_id,reviewee_id,referrer_id,referred_id,professional_id,author_id,owner_id,recipient_id,sender_id}')
          order by a.attnum
        ) as people,
        array(
          select case a.attname
            when 'guest_session_id' then 't.guest_session_id::text = any (($2)::text[])'
            when 'session_id' then 't.session_id::text = any ($3)'
            when 'metadata' then 't.metadata ->> ''converted_to_user_id'' = ($1)::text'
            else pg_catalog.format('t.conversation_id::text in (select c.id::text from marketplace_archive.%I c where c.user_id::text = ($1)::text)', o.relname) end
          from pg_catalog.pg_attribute a
          left join pg_catalog.pg_class o on a.attname = 'conversation_id' and o.relnamespace = c.relnamespace
            and o.relname ~ ('^' || (pg_catalog.regexp_match(c.relname, '^[a-z]+'))[1] || '_conversations(_|$)')
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and (a.attname in ('guest_session_id', 'session_id') or a.attname = 'conversation_id' and o.oid is not null
              or a.attname = 'metadata' and a.atttypid = 'jsonb'::regtype and c.relname ~ '^guest_sessions(_|$)')
          order by a.attnum
        ) as ways
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'marketplace_archive' and c.relkind = 'r'
        and not exists (select from marketplace_internal.personal_data p where pg_catalog.to_regclass(p.relation) = c.oid)
    ), theirs as (
      select r.relation, r.position, r.people, array(
          select pg_catalog.format('t.%s::text = ($1)::text', p) from pg_catalog.unnest(r.people) p
        ) || array(
          select pg_catalog.concat_ws(' and ', w, (select pg_catalog.string_agg(pg_catalog.format('t.%s is null', p), ' and ') from pg_catalog.unnest(r.people) p))
          from pg_catalog.unnest(r.ways) w
        ) as conditions,
        (select pg_catalog.string_agg(pg_catalog.format('(t.%1$s is null or t.%1$s::text = ($1)::text)', p), ' and ') from pg_catalog.unnest(r.people) p) as alone
      from archived r
    )
    select p.* from marketplace_internal.personal_data p
    where pg_catalog.to_regclass(p.relation) is not null
    union all
    select r.relation, '', r.position, r.relation, false,
      case when pg_catalog.cardinality(r.people) < 2 then r.conditions
        else array(select pg_catalog.format('%s and %s', c, r.alone) from pg_catalog.unnest(r.conditions) c) end,
      null, '{}', 'delete', null, '{}', null
    from theirs r where r.conditions <> '{}'
    union all
    select r.relation, 'shared', r.position, r.relation || ' (shared)', false, -- after those that go
      array(select pg_catalog.format('t.%1$s::text = ($1)::text and not (%2$s)', p, r.alone) from pg_catalog.unnest(r.people) p),
      null, '{}', 'anonymise',
      array(select pg_catalog.format('%1$s = case when t.%1$s::text <> ($1)::text then t.%1$s end', p) from pg_catalog.unnest(r.people) p), '{}', null
    from theirs r where pg_catalog.cardinality(r.people) > 1
    order by 3, 1, 2
  $$;
revoke all on function marketplace_internal.personal_tables() from public, anon, authenticated, service_role;
comment on function marketplace_internal.personal_tables() is
  'The registry''s tables that are there, and those of marketplace_archive with a column that tells whose a row is; in the order in which they are forgotten.';

create or replace function marketplace_internal.column_name(p_sql text) returns text
  language sql immutable set search_path = '' as $$
    select case when p_sql like '"%' then pg_catalog.replace(pg_catalog.btrim(p_sql, '"'), '""', '"') else pg_catalog.lower(p_sql) end
  $$;
revoke all on function marketplace_internal.column_name(text) from public, anon, authenticated, service_role;
comment on function marketplace_internal.column_name(text) is 'Which column SQL means by this: without quotes that in lower case.';

create or replace function marketplace_internal.has_columns(p_relation regclass, p_sql text) returns boolean
  language sql stable set search_path = '' as $$
    with named (alias, relation) as (
      select 't', p_relation
      union all
      select m[2], pg_catalog.to_regclass(m[1])
      from pg_catalog.regexp_matches(p_sql, '\m(?:from|join)\s+([a-z_0-9]+\.[a-z_0-9]+)(?:\s+(?:as\s+)?([a-z_0-9]+))?', 'gi') m
    )
    select not exists (select from named n where n.relation is null)
      and not exists (
        select from named n, pg_catalog.regexp_matches(p_sql, '\m' || n.alias || '\.("(?:[^"]|"")+"|[[:alpha:]_][[:alnum:]_$]*)', 'g') m
        where not exists (
          select from pg_catalog.pg_attribute a
          where a.attrelid = n.relation and a.attname = marketplace_internal.column_name(m[1]) and a.attnum > 0 and not a.attisdropped))
  $$;
revoke all on function marketplace_internal.has_columns(regclass, text) from public, anon, authenticated, service_role;
comment on function marketplace_internal.has_columns(regclass, text) is 'Whether a condition or an assignment of the registry speaks of what this database has.';

-- Asked of Postgres itself, since a column of the name may have another type: a customer's id is not everywhere the user's.
create or replace function marketplace_internal.is_askable(p_relation regclass, p_condition text) returns boolean
  language plpgsql stable set search_path = '' as $$
begin
  execute pg_catalog.format('select from %s t where false and (%s)', p_relation, marketplace_internal.with_values(p_condition, null, '{}', '{}'));
  return true;
exception
  when insufficient_privilege then raise;
  when syntax_error_or_access_rule_violation then return false;
end $$;
revoke all on function marketplace_internal.is_askable(regclass, text) from public, anon, authenticated, service_role;
comment on function marketplace_internal.is_askable(regclass, text) is 'Whether a condition of the registry can be asked of this table.';

create or replace function marketplace_internal.with_values(p_sql text, p_user_id uuid, p_guests uuid[], p_sessions text[]) returns text
  language sql stable set search_path = '' as $$
    -- $3 last: its value may hold what looks like another.
    select pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(p_sql,
      '$1', pg_catalog.format('%L::uuid', p_user_id)), '$2', pg_catalog.format('%L::uuid[]', p_guests)), '$3', pg_catalog.format('%L::text[]', p_sessions))
  $$;
revoke all on function marketplace_internal.with_values(text, uuid, uuid[], text[]) from public, anon, authenticated, service_role;
comment on function marketplace_internal.with_values(text, uuid, uuid[], text[]) is 'SQL of the registry with its values in place of $1, $2 and $3.';

create or replace function marketplace_internal.personal_conditions(p_table marketplace_internal.personal_data, p_user_id uuid, p_guests uuid[], p_sessions text[])
  returns text[]
  language sql stable set search_path = '' as $$
    select coalesce(pg_catalog.array_agg(marketplace_internal.with_values(c.condition, p_user_id, p_guests, p_sessions) order by c.n), '{}')
    from pg_catalog.unnest(p_table.export_where) with ordinality c (condition, n)
    where case when marketplace_internal.has_columns(pg_catalog.to_regclass(p_table.relation), c.condition)
      then marketplace_internal.is_askable(pg_catalog.to_regclass(p_table.relation), c.condition) end
  $$;
revoke all on function marketplace_internal.personal_conditions(marketplace_internal.personal_data, uuid, uuid[], text[]) from public, anon, authenticated, service_role;
comment on function marketplace_internal.personal_conditions(marketplace_internal.personal_data, uuid, uuid[], text[]) is
  'The conditions of a table of the registry that this database can answer, with their values in place.';

create or replace function marketplace_internal.personal_assignments(p_table marketplace_internal.personal_data)
  returns table (column_name text, assignment text)
  language sql stable set search_path = '' as $$
    select c.name, pg_catalog.regexp_replace(s.assignment, '\s+where nullable\s*$', '')
    from pg_catalog.unnest(p_table.anonymise_set) with ordinality s (assignment, n)
    cross join lateral (select marketplace_internal.column_name((pg_catalog.regexp_match(s.assignment, '^\s*("(?:[^"]|"")+"|[^\s=]+)'))[1])) c (name)
    join pg_catalog.pg_attribute a on a.attrelid = pg_catalog.to_regclass(p_table.relation) and a.attname = c.name and a.attnum > 0 and not a.attisdropped
    where not (a.attnotnull and s.assignment ~ '\s+where nullable\s*$')
    order by s.n
  $$;
revoke all on function marketplace_internal.personal_assignments(marketplace_internal.personal_data) from public, anon, authenticated, service_role;
comment on function marketplace_internal.personal_assignments(marketplace_internal.personal_data) is 'Of what anonymises a table of the registry, what this database can do.';

create or replace function marketplace_internal.unusable_personal_tables() returns setof text
  language sql stable set search_path = '' as $$
    select p.relation from marketplace_internal.personal_tables() p
    where p.on_forget not in ('core', 'none')
    group by p.relation
    having not coalesce(
      pg_catalog.bool_or(marketplace_internal.personal_conditions(p, null, '{}', '{}') <> '{}') filter (where p.part = ''),
      pg_catalog.bool_or(marketplace_internal.personal_conditions(p, null, '{}', '{}') <> '{}'))
    order by 1
  $$;
revoke all on function marketplace_internal.unusable_personal_tables() from public, anon, authenticated, service_role;
comment on function marketplace_internal.unusable_personal_tables() is
  'Tables of the registry that are there and have none of the columns, in the type, by which it would know whose a row is.';

create or replace function marketplace_internal.columns_without_verdict(p_relation text) returns text[]
  language sql stable set search_path = '' as $$
    with parts as materialized (select p.* from marketplace_internal.personal_tables() p where p.relation = p_relation)
    select array(
      select a.attname::text from pg_catalog.pg_attribute a join pg_catalog.pg_type y on y.oid = a.atttypid
      where a.attrelid = pg_catalog.to_regclass(p_relation) and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
        and y.typcategory not in ('B', 'N', 'D', 'T', 'E', 'R')
        and exists (select from parts p where p.on_forget in ('anonymise', 'keep'))
        and not exists (select from parts p where a.attname = any (p.not_personal || p.omit))
        and not exists (
          select from parts p, pg_catalog.unnest(p.anonymise_set) s (assignment)
          where a.attname = marketplace_internal.column_name((pg_catalog.regexp_match(s.assignment, '^\s*("(?:[^"]|"")+"|[^\s=]+)'))[1]))
      order by a.attnum)
  $$;
revoke all on function marketplace_internal.columns_without_verdict(text) from public, anon, authenticated, service_role;
comment on function marketplace_internal.columns_without_verdict(text) is
  'Columns that stay when their row''s owner is forgotten, and of which the registry does not say that they may. '
  'Example: select marketplace_internal.columns_without_verdict(''public.bookings'')';

create or replace function marketplace_internal.export_queries(p_user_id uuid) returns table (export_as text, is_single boolean, query text)
  language plpgsql stable set search_path = '' as $$
declare
  guests constant uuid[] := marketplace_internal.guest_sessions_of(p_user_id);
  sessions constant text[] := marketplace_internal.unshared_sessions(p_user_id, marketplace_internal.analytics_sessions_of(p_user_id, guests));
  listed marketplace_internal.personal_data;
  conditions text[];
  selected text;
begin
  for listed in select * from marketplace_internal.personal_tables() p where p.export_as is not null order by p.position desc, p.relation, p.part loop
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

-- PE423 is of a class of our own: something of the platform's keeps the person, and an operator has to say what becomes of it.
create or replace function marketplace_internal.forget_person(p_user_id uuid, p_guests uuid[], p_sessions text[]) returns jsonb
  language plpgsql volatile set search_path = '' as $$
declare
  listed marketplace_internal.personal_data;
  conditions text[];
  condition text;
  assignments text;
  affected bigint;
  action text;
  places jsonb := '[]';
  cascading jsonb := '{}';
  staying text[] := '{}';
  kept_schema text;
  kept_table text;
  kept_column text;
  kept_constraint text;
  said text;
begin
  select u.relation into kept_table from marketplace_internal.unusable_personal_tables() u (relation) limit 1;
  if found then
    raise exception 'nothing was forgotten: the registry does not know whose the rows of % are', kept_table
      using errcode = 'PE423', schema = pg_catalog.split_part(kept_table, '.', 1), table = pg_catalog.split_part(kept_table, '.', 2),
        hint = pg_catalog.format('None of its conditions fits its columns. update marketplace_internal.personal_data set export_where = ''{t.… = $1}'' '
          'where relation = %L', kept_table);
  end if;

  for listed in select * from marketplace_internal.personal_tables() p order by p.position, p.relation, p.part loop
    if listed.relation = 'public.platform_events' then
      select places || pg_catalog.jsonb_agg(pg_catalog.to_jsonb(f)) into places from events_internal.forget(p_user_id, p_sessions) f;
    end if;
    continue when listed.on_forget in ('core', 'none');
    conditions := marketplace_internal.personal_conditions(listed, p_user_id, p_guests, p_sessions);
    continue when conditions = '{}';
    condition := '(' || pg_catalog.array_to_string(conditions, ') or (') || ')';
    action := listed.on_forget;
    select pg_catalog.string_agg(a.assignment, ', ') into assignments from marketplace_internal.personal_assignments(listed) a;
    if action = 'anonymise' and assignments is null then
      action := 'keep';
    end if;
    if action = 'delete' then
      execute pg_catalog.format('delete from %s t where %s', pg_catalog.to_regclass(listed.relation), condition);
      get diagnostics affected = row_count;
    else
      execute pg_catalog.format('select count(*) from %s t where %s', pg_catalog.to_regclass(listed.relation), condition) into affected;
    end if;
    if action = 'cascade' then
      cascading := cascading || pg_catalog.jsonb_build_object(listed.relation, condition);
    elsif action = 'anonymise' and affected > 0 then -- else the guest session of nobody would be made for no booking
      execute pg_catalog.format('update %s t set %s where %s', pg_catalog.to_regclass(listed.relation),
        marketplace_internal.with_values(assignments, p_user_id, p_guests, p_sessions), condition);
      get diagnostics affected = row_count;
    end if;
    places := places || pg_catalog.jsonb_build_object('action', action, 'n', affected,
      'place', listed.relation || case when listed.part = '' then '' else pg_catalog.format(' (%s)', listed.part) end);
    if action in ('anonymise', 'keep') and affected > 0 and not listed.relation = any (staying) then
      staying := staying || listed.relation;
    end if;
  end loop;

  for kept_table, condition in select c.key, c.value from pg_catalog.jsonb_each_text(cascading) c loop
    execute pg_catalog.format('select count(*) from %s t where %s', pg_catalog.to_regclass(kept_table), condition) into affected;
    if affected > 0 then
      raise exception 'nothing was forgotten: % still has % rows of the person', kept_table, affected
        using errcode = 'PE423', schema = pg_catalog.split_part(kept_table, '.', 1), table = pg_catalog.split_part(kept_table, '.', 2),
          hint = 'Its foreign key does not cascade: say in marketplace_internal.personal_data what becomes of them.';
    end if;
  end loop;
  set constraints all immediate;

  places := places || coalesce((
    select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('place', s.relation, 'n', null,
      'action', 'not reached, nobody has said what it is: ' || pg_catalog.array_to_string(marketplace_internal.columns_without_verdict(s.relation), ', ')))
    from pg_catalog.unnest(staying) s (relation) where marketplace_internal.columns_without_verdict(s.relation) <> '{}'), '[]');
  return places || coalesce((
    select pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('place', o.place, 'action', o.action, 'n', null) order by o.place desc)
    from (values
      ('storage', 'objects', 'storage.objects', 'not reached: remove their files by the platform''s storage'),
      ('auth', 'audit_log_entries', 'auth.audit_log_entries', 'not reached: removed by the platform''s own retention')) o (schema, name, place, action)
    join pg_catalog.pg_namespace n on n.nspname = o.schema
    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = o.name), '[]');
exception
  when not_null_violation or foreign_key_violation or restrict_violation or check_violation then
    get stacked diagnostics said = message_text, kept_schema = schema_name, kept_table = table_name, kept_column = column_name,
      kept_constraint = constraint_name;
    raise exception 'nothing was forgotten: %', said
      using errcode = 'PE423', schema = kept_schema, table = kept_table, column = kept_column, constraint = kept_constraint,
        hint = 'A table keeps the person by a rule of its own. Apply 0004_guest_bookings.sql for bookings; register others in marketplace_internal.personal_data.';
end $$;
revoke all on function marketplace_internal.forget_person(uuid, uuid[], text[]) from public, anon, authenticated, service_role;
comment on function marketplace_internal.forget_person(uuid, uuid[], text[]) is
  'Does what the registry says of a user (null: none), guest sessions and sessions of the analytics, and tells each place, as forget_receipts.places has them. '
  'PE423: something of the platform''s keeps them, nothing was done.';

create or replace function marketplace_internal.forget_account(p_user_id uuid) returns marketplace_internal.forget_receipts
  language plpgsql volatile set search_path = '' as $$
declare
  guests uuid[];
  was_there boolean;
  receipt marketplace_internal.forget_receipts;
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

  receipt.places := marketplace_internal.forget_person(p_user_id, guests, marketplace_internal.analytics_sessions_of(p_user_id, guests));
  receipt.forgotten_at := pg_catalog.clock_timestamp();
  if was_there then
    insert into marketplace_internal.forget_receipts (forgotten_at, places) values (receipt.forgotten_at, receipt.places)
    returning receipt_id into receipt.receipt_id;
  end if;
  return receipt;
end $$;
revoke all on function marketplace_internal.forget_account(uuid) from public, anon, authenticated, service_role;
comment on function marketplace_internal.forget_account(uuid) is
  'Deletes a user and all that the registry knows of them, in one transaction, and leaves a receipt without the person in it; receipt_id is null where there was no such '
  'user (then what was left of them is forgotten all the same). Example: select * from marketplace_internal.forget_account(''10000000-0000-4000-8000-000000000001'')';

-- The earlier sessions of the same browser and email: an operator forgets them with this one, though nobody is shown them. Whoever of them
-- signed up meanwhile is an account.
create or replace function marketplace_internal.unconverted_sessions_with(p_guest_session_id uuid) returns uuid[]
  language plpgsql stable set search_path = '' as $$
declare
  ids uuid[] := p_guest_session_id || array(
    select earlier.id from public.guest_sessions g
    join public.guest_sessions earlier on earlier.email = g.email and earlier.metadata ->> 'device' = g.metadata ->> 'device'
    where g.id = p_guest_session_id and g.metadata ->> 'device' is not null);
begin
  return array(
    select distinct i from pg_catalog.unnest(ids) i
    where not exists (select from public.guest_sessions g where g.id = i and g.metadata ? 'converted_to_user_id') order by 1);
end $$;
revoke all on function marketplace_internal.unconverted_sessions_with(uuid) from public, anon, authenticated, service_role;
comment on function marketplace_internal.unconverted_sessions_with(uuid) is 'This guest session and those of its browser, as far as none has become a user''s.';

create or replace function marketplace_internal.forget_guest(p_guest_session_id uuid) returns marketplace_internal.forget_receipts
  language plpgsql volatile set search_path = '' as $$
declare
  guests uuid[];
  account text;
  was_there boolean;
  receipt marketplace_internal.forget_receipts;
begin
  if p_guest_session_id is null or p_guest_session_id = '00000000-0000-4000-8000-000000000000' then
    raise exception 'this is no guest''s session' using errcode = 'invalid_parameter_value', hint = 'p_guest_session_id is an id of public.guest_sessions.';
  end if;
  if pg_catalog.to_regclass('public.guest_sessions') is null then
    raise exception 'public.guest_sessions is missing' using errcode = 'undefined_table', hint = 'Apply 0003_guest_sessions.sql first.';
  end if;
  -- Whoever books holds key share on the session, and whoever converts holds all of it.
  guests := marketplace_internal.unconverted_sessions_with(p_guest_session_id);
  perform from public.guest_sessions g where g.id = any (guests || p_guest_session_id) order by g.id for update;
  was_there := found;
  guests := marketplace_internal.unconverted_sessions_with(p_guest_session_id);
  select g.metadata ->> 'converted_to_user_id' into account from public.guest_sessions g where g.id = p_guest_session_id;
  if account is not null then
    raise exception 'this guest has an account now' using errcode = 'invalid_parameter_value',
      hint = pg_catalog.format('Forget the user, with all sessions: select * from marketplace_internal.forget_account(%L)', account);
  end if;

  receipt.places := marketplace_internal.forget_person(null, guests, marketplace_internal.analytics_sessions_of(null, guests));
  receipt.forgotten_at := pg_catalog.clock_timestamp();
  if was_there then
    insert into marketplace_internal.forget_receipts (forgotten_at, places) values (receipt.forgotten_at, receipt.places)
    returning receipt_id into receipt.receipt_id;
  end if;
  return receipt;
end $$;
revoke all on function marketplace_internal.forget_guest(uuid) from public, anon, authenticated, service_role;
comment on function marketplace_internal.forget_guest(uuid) is
  'Forgets a guest who has no account, with the earlier sessions of the same browser and email: bookings stay without them, events as events of nobody. A receipt as of '
  'forget_account(). Example: select * from marketplace_internal.forget_guest(''20000000-0000-4000-8000-000000000002'')';

create or replace function marketplace_internal.unregistered_personal_tables() returns table (relation text, because text, mend text)
  language sql stable set search_path = '' as $$
    select c.oid::regclass::text,
      pg_catalog.format('looks personal (%s), and is neither exported nor forgotten with its owner', pg_catalog.string_agg(distinct b.because, ', ' order by b.because)),
      pg_catalog.format('insert into marketplace_internal.personal_data (relation, on_forget, …) values (%L, ''delete'', …); -- ''none'' if it is nobody''s', c.oid::regclass)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    cross join lateral (
      select pg_catalog.format('column %s', a.attname) as because
      from pg_catalog.pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        and pg_catalog.replace(pg_catalog.lower(a.attname), '_', '') = any (
          '{userid,customerid,clientid,referrerid,referredid,reviewerid,revieweeid,authorid,ownerid,profileid,professionalid,recipientid,senderid,email,phone,'
          'sessionid,sessiontoken,guestsessionid,guestid}')
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
    union all
    select u.relation, 'is registered as personal, and none of its conditions fits its columns: nobody can be forgotten',
      pg_catalog.format('update marketplace_internal.personal_data set export_where = ''{t.… = $1}'' where relation = %L and part = ''''', u.relation)
    from marketplace_internal.unusable_personal_tables() u (relation)
    union all
    select p.relation, 'keeps columns of forgotten people of which nobody has said that they may stay: '
        || pg_catalog.array_to_string(marketplace_internal.columns_without_verdict(p.relation), ', '),
      case when bool_or(p.relation like 'marketplace_archive.%') then pg_catalog.format('drop table %s; -- or register it', p.relation)
        else pg_catalog.format('update marketplace_internal.personal_data set anonymise_set = anonymise_set || ''{%1$s = null}'' where relation = %2$L and part = ''''; '
          '-- or not_personal = not_personal || ''{%1$s}''', (marketplace_internal.columns_without_verdict(p.relation))[1], p.relation) end
    from marketplace_internal.personal_tables() p
    group by p.relation
    having marketplace_internal.columns_without_verdict(p.relation) <> '{}'
    order by 1, 2
  $$;
revoke all on function marketplace_internal.unregistered_personal_tables() from public, anon, authenticated, service_role;
comment on function marketplace_internal.unregistered_personal_tables() is
  'What would be left out of exports, or stay when its owner is forgotten: tables that look as if they had somebody''s data and are not in the registry, tables of the '
  'registry whose rows it does not know whose they are, and columns that it does not know to be harmless; each with what mends it. '
  'Example: select * from marketplace_internal.unregistered_personal_tables()';
