-- The tables that the platform no longer uses go, and nothing that anybody still uses goes with them.
--
-- A table is dropped only if it holds no row and nothing outside of these tables depends on it: no view, foreign key, policy, function
-- (by dependency, or by its text, which Postgres does not look into), default, publication or job of pg_cron. One that is refused
-- keeps them all. With marketplace.force = on, those that are refused move to the schema marketplace_archive with all their rows
-- and dependents, and the rest is dropped. What is needed to make each again is kept in marketplace_internal.dropped_tables.
--
-- The tables are locked before they are looked at, so that no writer comes between the count and the drop.

create schema if not exists marketplace_internal;
revoke all on schema marketplace_internal from public, anon, authenticated;

create table if not exists marketplace_internal.dropped_tables (
  table_name text primary key,
  fate text not null check (fate in ('dropped', 'archived')),
  definition jsonb not null,
  dropped_at timestamptz not null default now()
);
comment on table marketplace_internal.dropped_tables is
  'Tables of schema public that the migration 0900 took away. definition has statements: make (the table by itself), link (what names other tables), grants.';

create or replace function marketplace_internal.grants_of(p_relation regclass) returns text[]
  language sql stable set search_path = '' as $$
  select coalesce(array_agg(format('grant %s%s on %s %s to %s%s', privilege, of_column, kind, p_relation, who, with_option)), '{}')
  from (
    select a.privilege_type as privilege, '' as of_column, case c.relkind when 'S' then 'sequence' else 'table' end as kind,
      case a.grantee when 0 then 'public' else a.grantee::regrole::text end as who,
      case when a.is_grantable then ' with grant option' else '' end as with_option
    from pg_class c cross join aclexplode(c.relacl) a
    where c.oid = p_relation and a.grantee <> c.relowner
    union all
    select a.privilege_type, format(' (%I)', t.attname), 'table',
      case a.grantee when 0 then 'public' else a.grantee::regrole::text end, case when a.is_grantable then ' with grant option' else '' end
    from pg_class c join pg_attribute t on t.attrelid = c.oid cross join aclexplode(t.attacl) a
    where c.oid = p_relation and a.grantee <> c.relowner
  ) granted
$$;
comment on function marketplace_internal.grants_of(regclass) is 'Statements that give a relation the grants that it has now, those of its owner left out.';

create or replace function marketplace_internal.revoke_grants(p_relation regclass) returns void
  language plpgsql set search_path = '' as $$
declare
  who text;
  kind text := (select case relkind when 'S' then 'sequence' else 'table' end from pg_class where oid = p_relation);
begin
  for who in
    select distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    from (select relacl as acl, relowner from pg_class where oid = p_relation
          union all select t.attacl, c.relowner from pg_attribute t join pg_class c on c.oid = t.attrelid where c.oid = p_relation) r
    cross join aclexplode(r.acl) a
    where a.grantee <> r.relowner
  loop
    execute format('revoke all on %s %s from %s', kind, p_relation, who);
  end loop;
end $$;
comment on function marketplace_internal.revoke_grants(regclass) is 'Takes all grants on a relation, and on its columns, from everybody but its owner.';

create or replace function marketplace_internal.sequence_options(p_sequence oid) returns text
  language sql stable set search_path = '' as $$
  select format('increment by %s minvalue %s maxvalue %s start with %s cache %s%s', seqincrement, seqmin, seqmax, seqstart, seqcache,
    case when seqcycle then ' cycle' else '' end)
  from pg_sequence where seqrelid = p_sequence
$$;

create or replace function marketplace_internal.table_definition(p_table regclass) returns jsonb
  language sql stable set search_path = '' as $$
  with sequences as (
    select s.oid, s.oid::regclass as name, a.attname, a.attidentity, s.relowner
    from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
    join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = p_table and d.deptype in ('a', 'i')
  ), columns as (
    select a.*, concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
      case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation end,
      case when a.attgenerated = 's' then format('generated always as (%s) stored', pg_get_expr(d.adbin, d.adrelid))
           when a.attgenerated = 'v' then format('generated always as (%s) virtual', pg_get_expr(d.adbin, d.adrelid))
           when d.adbin is not null then 'default ' || pg_get_expr(d.adbin, d.adrelid) end,
      -- From 18 on NOT NULL has a name.
      case when a.attnotnull then coalesce((select format('constraint %I ', n.conname) from pg_constraint n
        where n.conrelid = a.attrelid and n.contype = 'n' and n.conkey = array[a.attnum]), '') || 'not null' end,
      case when a.attidentity <> '' then format('generated %s as identity (sequence name %s %s)',
        case a.attidentity when 'a' then 'always' else 'by default' end, s.name, marketplace_internal.sequence_options(s.oid)) end) as line
    from pg_attribute a join pg_type t on t.oid = a.atttypid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join sequences s on s.attname = a.attname and s.attidentity <> ''
    where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped
  ), statements(link, place, name, line) as (
    select false, 0, attname::text, format('create sequence %s as %s %s', name, seqtypid::regtype, marketplace_internal.sequence_options(sequences.oid))
      from sequences join pg_sequence on seqrelid = sequences.oid where attidentity = ''
    union all
    select false, 1, '', format('create %stable %s (%s)%s', case relpersistence when 'u' then 'unlogged ' else '' end, p_table,
      (select string_agg(line, ', ' order by attnum) from columns), ' with (' || array_to_string(reloptions, ', ') || ')')
      from pg_class where oid = p_table and reloptions is not null
    union all
    select false, 1, '', format('create %stable %s (%s)', case relpersistence when 'u' then 'unlogged ' else '' end, p_table,
      (select string_agg(line, ', ' order by attnum) from columns))
      from pg_class where oid = p_table and reloptions is null
    union all
    select false, 2, attname::text, format('alter sequence %s owned by %s.%I', name, p_table, attname) from sequences where attidentity = ''
    union all
    -- Numbers that were given out are not given out again.
    select false, 2, attname::text, format('select pg_catalog.setval(%L, %s)', name, pg_sequence_last_value(oid)) from sequences
      where pg_sequence_last_value(oid) is not null
    union all
    select false, 2, attname::text, format('alter table %s alter column %I set storage %s', p_table, attname,
      case attstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main' else 'extended' end)
      from columns join pg_type t on t.oid = atttypid where attstorage <> typstorage
    union all
    select false, 2, attname::text, format('alter table %s alter column %I set statistics %s', p_table, attname, attstattarget)
      from columns where attstattarget >= 0
    union all
    select contype = 'f' or contype = 't', 3, case contype when 'p' then '' else conname end,
      format('alter table %s add constraint %I %s', p_table, conname, pg_get_constraintdef(oid))
      from pg_constraint where conrelid = p_table and contype in ('p', 'u', 'x', 'c', 'f')
    union all
    select false, 4, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) from pg_index i
      where i.indrelid = p_table and not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.conrelid = p_table and c.contype in ('p', 'u', 'x'))
    union all
    select false, 5, stxname::text, pg_get_statisticsobjdef(oid) from pg_statistic_ext where stxrelid = p_table
    union all
    select false, 6, relname::text, format('alter table %s cluster on %I', p_table, relname)
      from pg_index join pg_class on pg_class.oid = indexrelid where indrelid = p_table and indisclustered
    union all
    select false, 6, '', format('alter table %s replica identity %s', p_table, case relreplident when 'f' then 'full' when 'n' then 'nothing'
      else 'using index ' || quote_ident((select relname from pg_index join pg_class on pg_class.oid = indexrelid where indrelid = p_table and indisreplident)) end)
      from pg_class where oid = p_table and relreplident <> 'd'
    union all
    select false, 7, '', format('alter table %s enable row level security', p_table) from pg_class where oid = p_table and relrowsecurity
    union all
    select false, 7, '', format('alter table %s force row level security', p_table) from pg_class where oid = p_table and relforcerowsecurity
    union all
    select true, 11, polname::text, format('create policy %I on %s as %s for %s to %s%s%s', polname, p_table,
      case when polpermissive then 'permissive' else 'restrictive' end,
      case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
      (select string_agg(case r when 0 then 'public' else r::regrole::text end, ', ') from unnest(polroles) r),
      ' using (' || pg_get_expr(polqual, polrelid) || ')', ' with check (' || pg_get_expr(polwithcheck, polrelid) || ')')
      from pg_policy where polrelid = p_table
    union all
    select true, 12, tgname::text, pg_get_triggerdef(oid) from pg_trigger where tgrelid = p_table and not tgisinternal
    union all
    select true, 13, tgname::text, format('alter table %s %s trigger %I', p_table,
      case tgenabled when 'D' then 'disable' when 'A' then 'enable always' else 'enable replica' end, tgname)
      from pg_trigger where tgrelid = p_table and not tgisinternal and tgenabled <> 'O'
    union all
    select true, 14, rulename::text, pg_get_ruledef(oid) from pg_rewrite where ev_class = p_table
    union all
    select true, 20, '', format('comment on table %s is %L', p_table, obj_description(p_table, 'pg_class'))
      where obj_description(p_table, 'pg_class') is not null
    union all
    select true, 20, attname::text, format('comment on column %s.%I is %L', p_table, attname, col_description(p_table, attnum))
      from columns where col_description(p_table, attnum) is not null
    union all
    select true, 20, conname::text, format('comment on constraint %I on %s is %L', conname, p_table, obj_description(oid, 'pg_constraint'))
      from pg_constraint where conrelid = p_table and obj_description(oid, 'pg_constraint') is not null
    union all
    select true, 20, indexrelid::regclass::text, format('comment on index %s is %L', indexrelid::regclass, obj_description(indexrelid, 'pg_class'))
      from pg_index where indrelid = p_table and obj_description(indexrelid, 'pg_class') is not null
    union all
    select true, 20, polname::text, format('comment on policy %I on %s is %L', polname, p_table, obj_description(oid, 'pg_policy'))
      from pg_policy where polrelid = p_table and obj_description(oid, 'pg_policy') is not null
    union all
    select true, 20, tgname::text, format('comment on trigger %I on %s is %L', tgname, p_table, obj_description(oid, 'pg_trigger'))
      from pg_trigger where tgrelid = p_table and not tgisinternal and obj_description(oid, 'pg_trigger') is not null
    union all
    -- The last: what is somebody else's cannot be altered any more. Its sequences go with a table.
    select true, 30, '', format('alter table %s owner to %s', p_table, relowner::regrole)
      from pg_class where oid = p_table and relowner::regrole::text <> quote_ident(current_user)
  )
  select jsonb_build_object(
    'make', (select coalesce(jsonb_agg(line order by place, name, line), '[]') from statements where not link),
    'link', (select coalesce(jsonb_agg(line order by place, name, line), '[]') from statements where link),
    'relations', jsonb_build_array(p_table) || (select coalesce(jsonb_agg(name), '[]') from sequences),
    'grants', to_jsonb(marketplace_internal.grants_of(p_table))
      || (select coalesce(jsonb_agg(g), '[]') from sequences cross join unnest(marketplace_internal.grants_of(name)) g))
$$;
comment on function marketplace_internal.table_definition(regclass) is
  'Statements that make a table again as it is now, without its rows: make (by itself), link (what may name other tables), grants. relations: the table and its sequences.';

create or replace function marketplace_internal.table_dependents(p_table regclass, p_among regclass[])
  returns table (dependent text, by_text boolean, as_caller boolean)
  language plpgsql stable set search_path = '' as $$
declare
  short text := (select relname from pg_class where oid = p_table);
  named text := '\m' || short || '\M';
  -- alias.reviews is a column, and audit.reviews another table
  elsewhere text := '\m(?!public\M)\w+"?\s*\.\s*"?' || short || '\M';
begin
  return query
    with recursive part(owner, classid, objid) as (
      select t, 'pg_class'::regclass::oid, t::oid from unnest(p_among || p_table) t
      union
      select p.owner, d.classid, d.objid from part p join pg_depend d on d.refclassid = p.classid and d.refobjid = p.objid and d.deptype in ('a', 'i', 'P', 'S')
    ), outside as (
      select distinct d.classid, d.objid, d.objsubid
      from part p join pg_depend d on d.refclassid = p.classid and d.refobjid = p.objid and d.deptype = 'n'
      where p.owner = p_table and not exists (select from part o where o.classid = d.classid and o.objid = d.objid)
    )
    select distinct case
        when o.classid = 'pg_rewrite'::regclass then pg_describe_object('pg_class'::regclass, r.ev_class, 0)
        when c.contype = 'f' then regexp_replace(pg_describe_object(o.classid, o.objid, 0), '^constraint', 'foreign key')
        else pg_describe_object(o.classid, o.objid, o.objsubid) end,
      false,
      o.classid = 'pg_policy'::regclass
        or coalesce(v.reloptions && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false)
        or coalesce(not f.prosecdef, false)
    from outside o
    left join pg_rewrite r on o.classid = 'pg_rewrite'::regclass and r.oid = o.objid
    left join pg_class v on v.oid = r.ev_class
    left join pg_constraint c on o.classid = 'pg_constraint'::regclass and c.oid = o.objid
    left join pg_proc f on o.classid = 'pg_proc'::regclass and f.oid = o.objid;
  return query
    select 'publication ' || quote_ident(p.pubname), false, false
    from pg_publication_rel pr join pg_publication p on p.oid = pr.prpubid where pr.prrelid = p_table;
  -- The words of a comment count as well: to tell them from a statement in a string would mean to read the language.
  return query
    select pg_describe_object('pg_proc'::regclass, f.oid, 0) || ', whose text names it', true, false
    from pg_proc f join pg_language l on l.oid = f.prolang
    where f.prosqlbody is null and l.lanname not in ('internal', 'c') and f.pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
      and regexp_replace(f.prosrc, elsewhere, '', 'gi') ~* named;
  if to_regclass('cron.job') is not null then
    return query execute $cron$
      select 'job ' || coalesce(jobname, jobid::text) || ' of pg_cron', true, false from cron.job where regexp_replace(command, $1, '', 'gi') ~* $2 $cron$
      using elsewhere, named;
  end if;
end $$;
comment on function marketplace_internal.table_dependents(regclass, regclass[]) is
  'What depends on a table and is no part of it, nor of the tables p_among. by_text: a function''s or a job''s text names it, and Postgres knows nothing of it; '
  'as_caller: it works with the rights of whoever asks. Example: select * from marketplace_internal.table_dependents(''public.bookings'', ''{}'')';

create or replace function marketplace_internal.lock_tables(p_tables regclass[]) returns void
  language plpgsql set search_path = '' as $$
declare
  t regclass;
begin
  set local lock_timeout = '2s';
  foreach t in array p_tables loop
    execute format('lock table %s in access exclusive mode', t);
  end loop;
exception when lock_not_available then
  raise exception 'deprecated tables were not dropped: % is in use', t using errcode = '55P03',
    detail = (select string_agg(distinct format('session %s (%s)', l.pid, coalesce(nullif(a.application_name, ''), 'no name')), ', ')
              from pg_locks l left join pg_stat_activity a on a.pid = l.pid
              where l.relation = t and l.granted and l.pid <> pg_backend_pid() and l.database = (select oid from pg_database where datname = current_database())),
    hint = 'Try again when that transaction is over.';
end $$;
comment on function marketplace_internal.lock_tables(regclass[]) is 'Locks tables against everybody, or fails within seconds and says who holds one.';

create or replace function marketplace_internal.why_not_dropped(p_table regclass, p_among regclass[]) returns text[]
  language plpgsql set search_path = '' as $$
declare
  reasons text[] := '{}';
  rows bigint;
  forced boolean := (select relforcerowsecurity from pg_class where oid = p_table);
begin
  if (select relkind <> 'r' from pg_class where oid = p_table) then reasons := reasons || 'it is a partitioned or foreign table, which is not made again from its definition'::text; end if;
  if exists (select from pg_inherits where inhrelid = p_table) then reasons := reasons || 'it inherits from another table'::text; end if;
  -- Its own policies would hide rows from an owner without BYPASSRLS.
  if forced then execute format('alter table %s no force row level security', p_table); end if;
  execute format('select count(*) from %s', p_table) into rows;
  if forced then execute format('alter table %s force row level security', p_table); end if;
  if rows > 0 then reasons := reasons || format('%s row%s', rows, case rows when 1 then '' else 's' end); end if;
  return reasons || array(select dependent from marketplace_internal.table_dependents(p_table, p_among) order by 1);
end $$;
comment on function marketplace_internal.why_not_dropped(regclass, regclass[]) is 'How many rows a table has, and what depends on it besides the tables p_among; empty if it may go.';

create or replace function marketplace_internal.archive_table(p_table regclass, p_among regclass[]) returns void
  language plpgsql set search_path = '' as $$
declare
  definition jsonb := marketplace_internal.table_definition(p_table);
  parts regclass[] := array(select value::regclass from jsonb_array_elements_text(definition -> 'relations'));
  keeps boolean := exists (select from marketplace_internal.table_dependents(p_table, p_among) where as_caller);
  blind text := (select string_agg(dependent, '; ' order by dependent) from marketplace_internal.table_dependents(p_table, p_among) where by_text);
  part regclass;
  who text;
begin
  if to_regnamespace('marketplace_archive') is null then
    create schema marketplace_archive;
    revoke all on schema marketplace_archive from public, anon, authenticated, service_role;
    comment on schema marketplace_archive is
      'Deprecated tables that had rows or dependents: the rollback of 0900 moves them back. May hold personal data, and nothing forgets or exports it here.';
  end if;
  insert into marketplace_internal.dropped_tables (table_name, fate, definition)
    select relname, 'archived', definition from pg_class where oid = p_table
    on conflict (table_name) do update set fate = excluded.fate, definition = excluded.definition, dropped_at = now();
  execute format('alter table %s set schema marketplace_archive', p_table);
  -- Foreign keys are checked as the owner of the table.
  execute format('grant usage on schema marketplace_archive to %s', (select relowner::regrole from pg_class where oid = p_table));
  if keeps then
    for who in select distinct case a.grantee when 0 then 'public' else a.grantee::regrole::text end
      from pg_class c cross join aclexplode(c.relacl) a where c.oid = p_table and a.grantee <> c.relowner
    loop
      execute format('grant usage on schema marketplace_archive to %s', who);
      execute format('revoke truncate, references, trigger on %s from %s', p_table, who);
    end loop;
    raise warning '% keeps its grants: what depends on it reads it with the rights of whoever asks', p_table;
  else
    foreach part in array parts loop
      perform marketplace_internal.revoke_grants(part);
    end loop;
  end if;
  if blind is not null then raise warning '% is not found any more by: %', p_table, blind; end if;
end $$;
comment on function marketplace_internal.archive_table(regclass, regclass[]) is
  'Moves a table with its rows, dependents and sequences to marketplace_archive. Its grants go, unless a policy, a view or a function of others reads it with the caller''s rights.';

create or replace function marketplace_internal.drop_deprecated_tables(p_names text[], p_force boolean)
  returns table (table_name text, fate text, reasons text[])
  language plpgsql set search_path = '' as $$
declare
  all_of_them regclass[] := array(
    select c.oid::regclass from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relname = any (p_names) and c.relkind in ('r', 'p', 'f') order by c.relname);
  others text := (select string_agg(format('%s belongs to %s', c.oid::regclass, c.relowner::regrole), '; ' order by c.relname)
    from pg_class c where c.oid = any (all_of_them) and not pg_has_role(c.relowner, 'USAGE'));
  taken text := (select string_agg(format('marketplace_archive has a %s already', c.relname), '; ' order by c.relname)
    from pg_class c where c.relnamespace = to_regnamespace('marketplace_archive')
      and c.relname in (select relname from pg_class where oid = any (all_of_them)));
  why jsonb := '{}';
  kept regclass[] := '{}';
  more regclass[];
  t regclass;
begin
  if others is not null then
    raise exception 'deprecated tables were not dropped: %', others using errcode = '42501', hint = 'Migrate as the owner of these tables, or as a member of it.';
  end if;
  perform marketplace_internal.lock_tables(all_of_them);
  foreach t in array all_of_them loop
    why := why || jsonb_build_object(t, marketplace_internal.why_not_dropped(t, all_of_them));
    if jsonb_array_length(why -> t::text) > 0 then kept := kept || t; end if;
  end loop;
  if kept <> '{}' and not p_force then
    raise exception 'deprecated tables were not dropped: % of them % still needed', cardinality(kept), case cardinality(kept) when 1 then 'is' else 'are' end
      using errcode = '2BP01',
        detail = (select string_agg(format('%s: %s', k, (select string_agg(r, '; ') from jsonb_array_elements_text(why -> k::text) r)), E'\n') from unnest(kept) k),
        hint = 'See to these; or migrate with --force, which moves such tables, rows and dependents and all, to the schema marketplace_archive.';
  end if;
  if kept <> '{}' and taken is not null then
    raise exception 'deprecated tables were not dropped: %', taken using errcode = '42P07', hint = 'Rename or drop what was archived before.';
  end if;
  -- What an archived one depends on is archived with it.
  loop
    more := array(select o from unnest(all_of_them) o where o <> all (kept)
      and exists (select from marketplace_internal.table_dependents(o, array(select a from unnest(all_of_them) a where a <> all (kept)))
                  where not by_text));
    exit when more = '{}';
    kept := kept || more;
  end loop;
  -- All are described before the first is moved: a foreign key says where its table is.
  insert into marketplace_internal.dropped_tables (table_name, fate, definition)
    select c.relname, 'dropped', marketplace_internal.table_definition(c.oid) from pg_class c where c.oid = any (all_of_them) and c.oid <> all (kept)
    on conflict on constraint dropped_tables_pkey do update set fate = excluded.fate, definition = excluded.definition, dropped_at = now();
  table_name := null;
  return query select c.relname::text, case when c.oid = any (kept) then 'archived' else 'dropped' end, array(select jsonb_array_elements_text(why -> c.oid::regclass::text))
    from pg_class c where c.oid = any (all_of_them) order by c.relname;
  foreach t in array kept loop
    perform marketplace_internal.archive_table(t, all_of_them);
  end loop;
  if exists (select from unnest(all_of_them) d where d <> all (kept)) then
    execute 'drop table ' || (select string_agg(d::text, ', ') from unnest(all_of_them) d where d <> all (kept)) || ' restrict';
  end if;
end $$;
comment on function marketplace_internal.drop_deprecated_tables(text[], boolean) is
  'Drops those tables of schema public that are empty and needed by nothing outside of them; refuses them all if one is not so, or, forced, archives those. '
  'Example: select * from marketplace_internal.drop_deprecated_tables(''{old_table}'', false)';

create or replace function marketplace_internal.restore_dropped_tables() returns void
  language plpgsql set search_path = '' as $$
declare
  back marketplace_internal.dropped_tables;
  statement text;
  relation text;
begin
  for back in select * from marketplace_internal.dropped_tables order by table_name loop
    if to_regclass(format('public.%I', back.table_name)) is not null then
      raise exception 'public.% was made anew since it was taken away', back.table_name using errcode = '42P07', hint = 'Rename it, then roll back again.';
    end if;
    if back.fate = 'archived' then
      execute format('alter table marketplace_archive.%I set schema public', back.table_name);
    end if;
  end loop;
  for statement in select s from marketplace_internal.dropped_tables t cross join jsonb_array_elements_text(t.definition -> 'make') with ordinality m(s, i)
    where t.fate = 'dropped' order by t.table_name, m.i
  loop
    execute statement;
  end loop;
  for statement in select s from marketplace_internal.dropped_tables t cross join jsonb_array_elements_text(t.definition -> 'link') with ordinality m(s, i)
    where t.fate = 'dropped' order by t.table_name, m.i
  loop
    execute statement;
  end loop;
  -- Default privileges gave a table that was made just now what the old one may not have had.
  for relation in select jsonb_array_elements_text(definition -> 'relations') from marketplace_internal.dropped_tables loop
    perform marketplace_internal.revoke_grants(relation::regclass);
  end loop;
  for statement in select jsonb_array_elements_text(definition -> 'grants') from marketplace_internal.dropped_tables loop
    begin
      execute statement;
    exception when undefined_object then
      raise warning 'not granted, for the role is gone: %', statement;
    end;
  end loop;
  delete from marketplace_internal.dropped_tables where true;
  if to_regnamespace('marketplace_archive') is not null
    and not exists (select from pg_depend where refclassid = 'pg_namespace'::regclass and refobjid = to_regnamespace('marketplace_archive')) then
    drop schema marketplace_archive;
  end if;
end $$;
comment on function marketplace_internal.restore_dropped_tables() is
  'Makes again, or moves back, what drop_deprecated_tables took away; all or nothing.';

revoke all on marketplace_internal.dropped_tables from public, anon, authenticated, service_role;
do $$
declare
  ours regprocedure;
begin
  for ours in select oid::regprocedure from pg_proc where pronamespace = 'marketplace_internal'::regnamespace and proname in
    ('grants_of', 'revoke_grants', 'sequence_options', 'table_definition', 'table_dependents', 'lock_tables', 'why_not_dropped', 'archive_table',
     'drop_deprecated_tables', 'restore_dropped_tables')
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', ours);
  end loop;
end $$;

-- The names stand here and in no function: they would be found there.
select from marketplace_internal.drop_deprecated_tables(
  array['etta_conversations', 'etta_messages', 'reviews', 'booking_authorizations', 'referral_credits', 'pricing_faqs'],
  current_setting('marketplace.force', true) is not distinct from 'on');
