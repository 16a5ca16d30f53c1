-- Indexes that no query has used: each costs every insert, and nobody dares to drop it. This finds them, and keeps what brings each back.
-- Nothing is dropped here: DROP INDEX CONCURRENTLY cannot run in a transaction. `platform-events marketplace unused-indexes` does it.

create schema if not exists marketplace_internal;
revoke all on schema marketplace_internal from public, anon, authenticated;

create table if not exists marketplace_internal.dropped_indexes (
  drop_id bigint generated always as identity primary key,
  index text not null,
  relation text not null,
  bytes bigint not null,
  bring_back text not null,
  asked_at timestamptz not null default now(),
  dropped_at timestamptz
);
revoke all on marketplace_internal.dropped_indexes from public, anon, authenticated, service_role;
comment on table marketplace_internal.dropped_indexes is
  'Indexes that were dropped by name, each with the statement that brings it back; outside of a transaction. dropped_at is null where the drop did not end.';

-- A crash empties the statistics without a word in pg_stat_database, but then those of the whole cluster begin anew, too.
create or replace function marketplace_internal.statistics_since() returns timestamptz
  language sql stable set search_path = '' as $$
  select greatest(d.stats_reset, least(b.stats_reset, a.stats_reset))
  from pg_stat_database d cross join pg_stat_bgwriter b cross join pg_stat_archiver a
  where d.datname = current_database()
$$;
revoke all on function marketplace_internal.statistics_since() from public, anon, authenticated, service_role;
comment on function marketplace_internal.statistics_since() is 'Since when this server has counted the use of indexes in this database.';

create or replace function marketplace_internal.unused_indexes(p_since timestamptz default now() - interval '90 days')
  returns table (index text, relation text, bytes bigint, scans bigint, last_scan timestamptz, foreign_key text, drop_with text, bring_back text)
  language plpgsql stable set search_path = '' as $$
declare
  counted_since constant timestamptz := marketplace_internal.statistics_since();
  -- 15 does not say when.
  last_of constant text := case when current_setting('server_version_num')::int >= 160000 then 's.last_idx_scan' else 'null::timestamptz' end;
begin
  if p_since is null or p_since > now() then
    raise exception 'p_since must be a time in the past' using errcode = '22023';
  end if;
  if counted_since is null or counted_since > p_since then
    raise exception 'nobody can know which indexes were used since %: the statistics begin at %', p_since, coalesce(counted_since::text, 'no known time')
      using errcode = '55000', hint = 'Ask again when they are old enough, or about a later time. A replica counts for itself: ask it too where queries go there.';
  end if;
  return query execute format($sql$
    select i.indexrelid::regclass::text, i.indrelid::regclass::text, pg_relation_size(i.indexrelid), s.idx_scan, %1$s,
      (select min(f.conname::text) from pg_constraint f where f.conrelid = i.indrelid and f.contype = 'f' and f.conkey[1] = i.indkey[0]),
      'drop index concurrently ' || i.indexrelid::regclass,
      regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE INDEX', 'create index concurrently')
    from pg_stat_user_indexes s
    join pg_index i on i.indexrelid = s.indexrelid
    join pg_class x on x.oid = i.indexrelid
    join pg_class t on t.oid = i.indrelid
    where (s.idx_scan = 0 or %1$s < $1)
      and i.indisvalid and i.indisready and not i.indisunique and not i.indisexclusion and not i.indisreplident
      and x.relkind = 'i'
      -- Part of a partitioned table's index: that one goes, or none.
      and not x.relispartition
      and not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))
      and not exists (select from pg_depend e where e.classid = 'pg_class'::regclass and e.objid in (i.indexrelid, i.indrelid) and e.deptype = 'e')
      -- What this login may not drop is not its business: auth, storage and the like.
      and pg_has_role(t.relowner, 'USAGE')
      -- Ours, which our own queries and migrations count on.
      and s.schemaname not in ('events_internal', 'marketplace_internal', 'marketplace_archive')
      and t.relowner is distinct from to_regrole('events_owner')
      and not (s.schemaname = 'public' and s.relname in ('amara_conversations', 'amara_messages', 'guest_sessions'))
      and not (s.schemaname = 'public' and s.relname = 'bookings' and s.indexrelname like '%%guest_session%%')
    order by 3 desc, 1 $sql$, last_of)
    using p_since;
end $$;
revoke all on function marketplace_internal.unused_indexes(timestamptz) from public, anon, authenticated, service_role;
comment on function marketplace_internal.unused_indexes(timestamptz) is
  'Valid indexes that no query of this server has used since a time, the largest first: none of a constraint, unique, part of a partitioned one, or of this product. '
  'foreign_key: one that it serves, for without it a delete of the row pointed at reads the whole table. Raises 55000 where the statistics are younger. '
  'Example: select * from marketplace_internal.unused_indexes(''2026-01-01'')';
