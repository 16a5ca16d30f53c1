import type { Pool } from '@platform-events/postgres'

/**
 * What the migrations made, as text that is the same on every version and ground: tables, columns, constraints, indexes,
 * triggers, policies, functions, each with its owner where that is ours, and its grants. Without partitions.
 */
export async function dumpSchema(pool: Pool): Promise<string> {
  const sections = await Promise.all(
    Object.entries(SECTIONS).map(async ([title, sql]) => {
      const { rows } = await pool.query<{ line: string }>(sql)
      return `# ${title}\n${rows.map((row) => row.line).join('\n')}\n`
    }),
  )
  return sections.join('\n')
}

/** Ours: all of events_internal but the runner's ledger, and in public what events_owner owns. Not the partitions. */
const RELATIONS = `
  select c.oid, c.relname, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity, c.reloptions, n.nspname
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where (n.nspname = 'events_internal' or (n.nspname = 'public' and pg_get_userbyid(c.relowner) = 'events_owner'))
    and c.relname !~ '^platform_events_[0-9]{8}' and c.relname !~ '^schema_migrations'`

/** is_admin belongs to whoever migrates: the name of that login differs. */
const owner = (column: string): string =>
  `case when pg_get_userbyid(${column}) like 'events%' then pg_get_userbyid(${column}) else '(login)' end`

const grants = (acl: string, kind: string, ownerColumn: string): string => `
  coalesce((select string_agg(coalesce(nullif(pg_get_userbyid(a.grantee), 'unknown (OID=0)'), 'PUBLIC') || ':' || lower(a.privilege_type), ' '
                              order by pg_get_userbyid(a.grantee), a.privilege_type)
            from aclexplode(coalesce(${acl}, acldefault('${kind}', ${ownerColumn}))) a
            where a.grantee <> ${ownerColumn}), '-')`

const SECTIONS = {
  'relations: owner, row security, options, grants to others': `
    select format('%s.%s (%s) owner %s%s%s grants %s', nspname, relname, relkind, ${owner('relowner')},
      case when relrowsecurity then ' rls' else '' end || case when relforcerowsecurity then ' force' else '' end,
      coalesce(' ' || reloptions::text, ''), ${grants('relacl', 'r', 'relowner')}) as line
    from (${RELATIONS}) r where relkind in ('r', 'p', 'v', 'm', 'S') order by nspname, relname`,
  'columns: type, default, grants': `
    select format('%s.%s %s%s%s%s%s', r.relname, a.attname, format_type(a.atttypid, a.atttypmod),
      case when a.attnotnull then ' not null' else '' end,
      coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), ''), case a.attidentity when 'a' then ' identity always' else '' end,
      case when a.attacl is null then '' else ' grants ' || ${grants('a.attacl', 'c', 'r.relowner')} end) as line
    from (${RELATIONS}) r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
    where r.relkind in ('r', 'p') order by r.nspname, r.relname, a.attnum`,
  // contype n: from 18 on NOT NULL is a named constraint
  constraints: `
    select format('%s: %s', r.relname, pg_get_constraintdef(c.oid)) as line
    from (${RELATIONS}) r join pg_constraint c on c.conrelid = r.oid
    where c.contype <> 'n' order by 1`,
  indexes: `
    select pg_get_indexdef(i.indexrelid) as line
    from (${RELATIONS}) r join pg_index i on i.indrelid = r.oid order by 1`,
  triggers: `
    select format('%s.%s: %s', n.nspname, c.relname, pg_get_triggerdef(t.oid)) as line
    from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
    join pg_proc p on p.oid = t.tgfoid
    where p.pronamespace = 'events_internal'::regnamespace and t.tgparentid = 0 order by 1`,
  policies: `
    select format('%s %s for %s to %s using %s check %s', tablename, policyname, cmd, roles, coalesce(qual, '-'), coalesce(with_check, '-')) as line
    from pg_policies where tablename = 'platform_events' order by 1`,
  'functions: result, volatility, security, settings, owner, execute': `
    select format('%s.%s(%s) returns %s %s%s %s owner %s grants %s', n.nspname, p.proname, pg_get_function_arguments(p.oid),
      pg_get_function_result(p.oid), case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
      case when p.prosecdef then ' definer' else '' end, p.proconfig::text, ${owner('p.proowner')}, ${grants('p.proacl', 'f', 'p.proowner')}) as line
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'events_internal' or (n.nspname = 'public' and pg_get_userbyid(p.proowner) = 'events_owner') order by 1`,
  schemas: `
    select format('%s owner %s grants %s', nspname, ${owner('nspowner')}, ${grants('nspacl', 'n', 'nspowner')}) as line
    from pg_namespace where nspname = 'events_internal'`,
  'roles and memberships': `
    select format('%s%s member of %s', r.rolname,
      case when r.rolcanlogin or r.rolsuper or r.rolbypassrls or r.rolcreaterole then ' PRIVILEGED' else '' end,
      coalesce((select string_agg(g.rolname, ' ' order by g.rolname)
                from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid), '-')) as line
    from pg_roles r where r.rolname like 'events%' order by 1`,
}
