import type { PoolClient } from '@platform-events/postgres'

/** What the catalogue says of tables of schema public, a line for each thing; to compare before and after. */
export async function tablesAsTheyAre(client: PoolClient, names: string[]): Promise<string[]> {
  const { rows } = await client.query<{ line: string }>({
    text: `with t as (select * from pg_class where relnamespace = 'public'::regnamespace and relname = any ($1) and relkind = 'r'),
      parts as (select c.oid, c.relname, c.relkind, c.relowner, c.relacl from pg_class c
        where c.oid in (select oid from t) or c.oid in (select d.objid from pg_depend d join t on d.refobjid = t.oid where d.deptype in ('a', 'i') and c.relkind = 'S'))
      select format('%s owner %s rls %s force %s options %s identity %s persistence %s', relname, relowner::regrole, relrowsecurity, relforcerowsecurity, reloptions, relreplident, relpersistence) as line from t
      union all
      select format('%s.%s %s %s not null %s default %s identity %s generated %s collation %s storage %s statistics %s comment %s', t.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attcollation::regcollation, a.attstorage, nullif(a.attstattarget, -1), col_description(t.oid, a.attnum))
        from t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
      union all select format('%s constraint %s %s', t.relname, conname, pg_get_constraintdef(c.oid)) from t join pg_constraint c on c.conrelid = t.oid
      union all select format('%s clustered %s', pg_get_indexdef(indexrelid), indisclustered) from t join pg_index on indrelid = t.oid
      union all select pg_get_statisticsobjdef(s.oid) from t join pg_statistic_ext s on stxrelid = t.oid
      union all select format('%s policy %s %s %s %s %s %s %s', tablename, policyname, permissive, roles, cmd, qual, with_check, obj_description(p.oid, 'pg_policy'))
        from t join pg_policies on tablename = relname and schemaname = 'public' join pg_policy p on polrelid = t.oid and polname = policyname
      union all select format('%s %s', pg_get_triggerdef(g.oid), tgenabled) from t join pg_trigger g on tgrelid = t.oid where not tgisinternal
      union all select format('%s sequence %s', relname, to_jsonb(s)) from parts join pg_sequences s on sequencename = relname where relkind = 'S'
      union all select format('%s grant %s to %s %s', relname, privilege_type, coalesce(nullif(a.grantee, 0)::regrole::text, 'public'), is_grantable)
        from parts cross join aclexplode(coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner))) a
      union all select format('%s.%s grant %s to %s %s', t.relname, attname, privilege_type, grantee::regrole, is_grantable) from t join pg_attribute on attrelid = t.oid cross join aclexplode(attacl) a
      union all select format('%s comment %s', relname, obj_description(oid, 'pg_class')) from t
      order by 1`,
    values: [names],
  })
  return rows.map(({ line }) => line)
}
