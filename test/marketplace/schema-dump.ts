import type { Pool, PoolClient } from '@platform-events/postgres'

/**
 * The marketplace's schema and what lies in public beside the core, as text that is the same on every version and ground: relations,
 * columns, constraints, indexes, triggers, policies, functions, each with its grants and its comment.
 *
 * @param bodies with a hash of what functions and views do: equal for equal text on one version
 */
export async function dumpMarketplace(pool: Pool | PoolClient, bodies = false): Promise<string> {
  const parts: string[] = []
  for (const [title, sql] of Object.entries(sections(bodies))) {
    const { rows } = await pool.query<{ line: string }>(sql)
    parts.push(
      `# ${title}\n${rows
        .map((row) => row.line)
        .sort()
        .join('\n')}\n`,
    )
  }
  return parts.join('\n')
}

/** Not the runner's ledger; not profiles, which is the platform's on some grounds and the core's on others. */
const RELATIONS = `
  select c.*, n.nspname, format('%s.%s', n.nspname, c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where (n.nspname = 'marketplace_internal' or (n.nspname = 'public' and pg_get_userbyid(c.relowner) <> 'events_owner'))
    and c.relname !~ '^schema_migrations' and c.relname !~ '^profiles'`

const FUNCTIONS = `
  select p.*, format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_arguments(p.oid)) as name
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname = 'marketplace_internal' or (n.nspname = 'public' and pg_get_userbyid(p.proowner) <> 'events_owner')`

/** The migrating login has another name on each ground. */
const owner = (column: string): string =>
  `case when pg_get_userbyid(${column}) like 'events%' then pg_get_userbyid(${column}) else '(login)' end`

const grants = (acl: string, kind: string, ownerColumn: string): string => `
  coalesce((select string_agg(coalesce(nullif(pg_get_userbyid(a.grantee), 'unknown (OID=0)'), 'PUBLIC') || ':' || lower(a.privilege_type), ' '
                              order by pg_get_userbyid(a.grantee), a.privilege_type)
            from aclexplode(coalesce(${acl}, acldefault('${kind}', ${ownerColumn}))) a
            where a.grantee <> ${ownerColumn}), '-')`

const sections = (bodies: boolean): Record<string, string> => ({
  schemas: `
    select format('%s owner %s grants %s', nspname, ${owner('nspowner')}, ${grants('nspacl', 'n', 'nspowner')}) as line
    from pg_namespace where nspname = 'marketplace_internal'`,
  'relations: owner, row security, options, grants to others': `
    select format('%s (%s) owner %s%s%s grants %s', name, relkind, ${owner('relowner')},
      case when relrowsecurity then ' rls' else '' end || case when relforcerowsecurity then ' force' else '' end,
      coalesce(' ' || reloptions::text, ''), ${grants('relacl', 'r', 'relowner')})
      || ${bodies ? `coalesce(' ' || md5(pg_get_viewdef(case when relkind in ('v', 'm') then oid end)), '')` : `''`} as line
    from (${RELATIONS}) r where relkind in ('r', 'p', 'v', 'm', 'S')`,
  'columns: type, default, grants': `
    select format('%s %s. %s %s%s%s%s%s', r.name, lpad(a.place::text, 2), a.attname, format_type(a.atttypid, a.atttypmod),
      case when a.attnotnull then ' not null' else '' end,
      coalesce(case when a.attgenerated = '' then ' default ' else ' generated ' end || pg_get_expr(d.adbin, d.adrelid), ''),
      case a.attidentity when 'a' then ' identity always' when 'd' then ' identity' else '' end,
      case when a.attacl is null then '' else ' grants ' || ${grants('a.attacl', 'c', 'r.relowner')} end) as line
    from (${RELATIONS}) r join lateral (
      select *, row_number() over (order by attnum) as place from pg_attribute where attrelid = r.oid and attnum > 0 and not attisdropped) a on true
    left join pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
    where r.relkind in ('r', 'p', 'v', 'm')`,
  // contype n: from 18 on NOT NULL is a named constraint
  constraints: `
    select format('%s %s: %s', r.name, c.conname, pg_get_constraintdef(c.oid)) as line
    from (${RELATIONS}) r join pg_constraint c on c.conrelid = r.oid
    where c.contype <> 'n'`,
  indexes: `
    select pg_get_indexdef(i.indexrelid) || case when i.indisvalid then '' else ' INVALID' end as line
    from (${RELATIONS}) r join pg_index i on i.indrelid = r.oid`,
  'triggers, also on tables of others': `
    select format('%s: %s', t.tgenabled, pg_get_triggerdef(t.oid)) as line
    from pg_trigger t join (${FUNCTIONS}) f on f.oid = t.tgfoid
    where not t.tgisinternal and t.tgparentid = 0`,
  policies: `
    select format('%s.%s: %s %s for %s to %s using %s check %s', schemaname, tablename, policyname, permissive, cmd, roles,
      coalesce(qual, '-'), coalesce(with_check, '-')) as line
    from pg_policies p join (${RELATIONS}) r on r.nspname = p.schemaname and r.relname = p.tablename`,
  'functions: result, volatility, security, settings, owner, execute': `
    select format('%s returns %s %s %s%s owner %s execute %s', name, pg_get_function_result(oid),
      case provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
      case when prosecdef then 'definer' else 'invoker' end, coalesce(' ' || proconfig::text, ''), ${owner('proowner')}, ${grants('proacl', 'f', 'proowner')})
      || ${bodies ? `' ' || md5(prosrc)` : `''`} as line
    from (${FUNCTIONS}) f`,
  comments: `
    select line from (
      select format('%s: %s', name, obj_description(oid, 'pg_class')) as line from (${RELATIONS}) r where obj_description(oid, 'pg_class') is not null
      union all
      select format('%s.%s: %s', r.name, a.attname, col_description(r.oid, a.attnum))
      from (${RELATIONS}) r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 where col_description(r.oid, a.attnum) is not null
      union all
      select format('%s: %s', name, obj_description(oid, 'pg_proc')) from (${FUNCTIONS}) f where obj_description(oid, 'pg_proc') is not null
      union all
      select format('schema %s: %s', nspname, obj_description(oid, 'pg_namespace')) from pg_namespace
      where nspname = 'marketplace_internal' and obj_description(oid, 'pg_namespace') is not null
    ) c`,
})
