import type { Pool } from '@platform-events/postgres'
import type { Diagnosis, Finding } from './finding.ts'

interface Exposed {
  name: string
  kind: 'table' | 'view' | 'materialized view' | 'foreign table'
  /** API roles that may read or write it. */
  roles: string[]
  truncate: string[]
  row_security: boolean
  policies: number
  as_caller: boolean
}

/** Who may do what with tables and views of schema public, which the API exposes. */
export async function checkAccess(pool: Pool): Promise<Diagnosis> {
  const { rows } = await pool.query<Exposed>(EXPOSED)
  const definers = await pool.query<{ name: string; roles: string[] }>(DEFINERS)
  return {
    looked: { 'tables and views in public': rows.length },
    findings: [...rows.flatMap(findingsOf), ...definers.rows.map(runsAsItsOwner)],
  }
}

function runsAsItsOwner({ name, roles }: { name: string; roles: string[] }): Finding {
  const who = roles.join(', ')
  return {
    level: 'warning',
    what: `the function ${name} is SECURITY DEFINER, and ${who} may call it: row level security does not hold in it`,
    mend: `revoke execute on function ${name} from public, ${who}; -- or alter function ${name} security invoker`,
  }
}

function findingsOf({ name, kind, roles, truncate, row_security, policies, as_caller }: Exposed): Finding[] {
  const found: Finding[] = []
  const who = roles.join(', ')
  if (kind === 'view') {
    if (roles.length > 0 && !as_caller)
      found.push({
        level: 'warning',
        what: `the view ${name} shows ${who} what its owner may see, whatever row level security says`,
        mend: `alter view ${name} set (security_invoker = true);`,
      })
    return found
  }
  if (kind === 'materialized view' || kind === 'foreign table') {
    // Neither can have row level security.
    if (roles.length > 0)
      found.push({
        level: 'warning',
        what: `the ${kind} ${name} shows ${who} all its rows: it cannot have row level security`,
        mend: `revoke all on ${name} from public, ${who};`,
      })
    return found
  }
  if (roles.length > 0 && !row_security)
    found.push({
      level: 'error',
      what: `row level security is off on ${name}, which ${who} may use`,
      mend: `alter table ${name} enable row level security; -- and a policy for whom it is`,
    })
  if (roles.length > 0 && row_security && policies === 0)
    found.push({
      level: 'warning',
      what: `${name} has row level security and no policy: ${who} may use it, and see no row`,
      mend: `revoke all on ${name} from ${who}; -- or make a policy`,
    })
  if (truncate.length > 0)
    found.push({
      level: 'warning',
      what: `${truncate.join(', ')} may truncate ${name}: row level security does not stop that`,
      mend: `revoke truncate on ${name} from ${truncate.join(', ')};`,
    })
  return found
}

// Grants of a column count as those of the table; what an extension made is not ours to mend.
const EXPOSED = `
  with api as (select oid, rolname::text from pg_roles where rolname in ('anon', 'authenticated'))
  select format('public.%I', c.relname) as name, case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end as kind,
    array(select r.rolname from api r
          where has_any_column_privilege(r.oid, c.oid, 'select, insert, update') or has_table_privilege(r.oid, c.oid, 'delete') order by 1) as roles,
    array(select r.rolname from api r where has_table_privilege(r.oid, c.oid, 'truncate') and c.relkind in ('r', 'p') order by 1) as truncate,
    c.relrowsecurity as row_security, (select count(*)::int from pg_policy where polrelid = c.oid) as policies,
    coalesce(c.reloptions && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false) as as_caller
  from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  order by 1`

// A trigger's function cannot be called, whoever may execute it.
const DEFINERS = `
  select * from (
    select format('public.%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) as name,
      array(select r.rolname::text from pg_roles r where r.rolname in ('anon', 'authenticated')
            and has_function_privilege(r.oid, p.oid, 'execute') order by 1) as roles
    from pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.prosecdef and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
      and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
  ) f where roles <> '{}' order by 1`
