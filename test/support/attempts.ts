import type { Pool } from '@platform-events/postgres'
import { type AskAs, sqlstate } from './callers.ts'

export interface Attempt {
  name: string
  sql: string
}

/** Whose objects are tried: all of a schema, and what this role owns in public. */
export interface Objects {
  schema: string
  owner: string
}

/** Every verb on every relation, partitions, views and sequences included. */
export async function relationAttempts(pool: Pool, { schema, owner }: Objects): Promise<Attempt[]> {
  const { rows } = await pool.query<{ name: string; relkind: string; first: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name, c.relkind,
            (select attname from pg_attribute where attrelid = c.oid and attnum = 1) as first
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where (n.nspname = $1 or n.nspname = 'public' and pg_get_userbyid(c.relowner) = $2)
       and c.relkind in ('r', 'p', 'v', 'm', 'S') order by 1`,
    [schema, owner],
  )
  return rows.flatMap(({ name, relkind, first }) => {
    if (relkind === 'S') {
      return [
        { name: `nextval ${name}`, sql: `select nextval('${name}')` },
        { name: `select ${name}`, sql: `select * from ${name}` },
      ]
    }
    return [
      { name: `insert ${name}`, sql: `insert into ${name} default values` },
      { name: `select ${name}`, sql: `select 1 from ${name}` },
      { name: `lock ${name}`, sql: `select ${first} from ${name} for update` },
      { name: `update ${name}`, sql: `update ${name} set "${first}" = default` },
      { name: `delete ${name}`, sql: `delete from ${name}` },
      { name: `truncate ${name}`, sql: `truncate ${name}` },
    ]
  })
}

/** A call of every function, with nulls. */
export async function functionAttempts(pool: Pool, { schema, owner }: Objects): Promise<Attempt[]> {
  const { rows } = await pool.query<{ name: string; types: string[] }>(
    `select format('%I.%I', n.nspname, p.proname) as name,
            array(select format_type(t, null) from unnest(p.proargtypes::oid[]) with ordinality a(t, i) order by i) as types
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where (n.nspname = $1 or n.nspname = 'public' and pg_get_userbyid(p.proowner) = $2)
       and p.prorettype <> 'trigger'::regtype order by 1`,
    [schema, owner],
  )
  return rows.map(({ name, types }) => ({
    name: `call ${name}`,
    sql: `select * from ${name}(${types.map((type) => `null::${type}`).join(', ')})`,
  }))
}

/** The names of those that do not end with "permission denied" (42501). */
export async function tryAll(ask: AskAs, attempts: Attempt[]): Promise<string[]> {
  const allowed: string[] = []
  for (const attempt of attempts) {
    await ask('savepoint attempt')
    const state = await sqlstate(ask(attempt.sql))
    await ask('rollback to savepoint attempt')
    if (state !== '42501') allowed.push(attempt.name)
  }
  return allowed
}
