import type { Pool } from '@platform-events/postgres'

/** What is wrong, and what mends it. */
export interface Finding {
  /** Something fails or leaks (error), or is not as it should be (warning). */
  level: 'error' | 'warning'
  what: string
  /** A command or a statement. */
  mend: string
}

export interface Diagnosis {
  /** How many things were looked at, by their name in the plural. */
  looked: Record<string, number>
  findings: Finding[]
}

/** Everything in a database that a name may mean. */
export interface Names {
  /** `schema.name` of tables, views and foreign tables. */
  relations: Set<string>
  /** `schema.name` */
  functions: Set<string>
  schemas: Set<string>
}

export async function namesOf(pool: Pool): Promise<Names> {
  const { rows } = await pool.query<{ kind: string; name: string }>(
    `select 'relation' as kind, n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p', 'v', 'm', 'f')
     union all select distinct 'function', n.nspname || '.' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where n.nspname not in ('pg_catalog', 'information_schema')
     union all select 'schema', nspname from pg_namespace`,
  )
  const of = (kind: string): Set<string> => new Set(rows.filter((row) => row.kind === kind).map(({ name }) => name))
  return { relations: of('relation'), functions: of('function'), schemas: of('schema') }
}
