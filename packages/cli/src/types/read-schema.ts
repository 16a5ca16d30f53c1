import type { Pool } from '@platform-events/postgres'

/** A type of Postgres, by its oid as text. */
interface PgType {
  oid: string
  schema: string
  name: string
  /** b base, c composite, d domain, e enum, p pseudo, r range, m multirange. */
  kind: string
  /** Of what it is an array. */
  element: string | null
  /** Of what it is a domain. */
  base: string | null
  labels: string[]
  /** The table or view whose rows it is; null for a composite type that was made as one. */
  relation: string | null
  fields: { name: string; type: string }[]
}

export interface Column {
  name: string
  type: string
  nullable: boolean
  has_default: boolean
  /** Written by Postgres alone. */
  generated: boolean
  updatable: boolean
}

export interface Relation {
  name: string
  schema: string
  is_view: boolean
  insertable: boolean
  updatable: boolean
  columns: Column[]
  foreign_keys: { name: string; columns: string[]; one_to_one: boolean; relation: string; referenced: string[] }[]
}

export interface PgFunction {
  schema: string
  name: string
  args: { name: string; type: string; has_default: boolean }[]
  returns: string
  /** Of RETURNS TABLE or OUT arguments. */
  columns: { name: string; type: string }[]
  is_set: boolean
  /** At most one row is expected. */
  is_one: boolean
}

export interface SchemaShape {
  types: Map<string, PgType>
  relations: Relation[]
  functions: PgFunction[]
}

/** Tables, views and functions of schemas, and all types, as the catalogue has them. */
export async function readSchema(pool: Pool, schemas: string[]): Promise<SchemaShape> {
  const types = await pool.query<PgType>(TYPES)
  const relations = await pool.query<Relation>(RELATIONS, [schemas])
  const functions = await pool.query<PgFunction>(FUNCTIONS, [schemas])
  return {
    types: new Map(types.rows.map((type) => [type.oid, type])),
    relations: relations.rows,
    functions: functions.rows,
  }
}

const TYPES = `
  select t.oid::text, n.nspname as schema, t.typname as name, t.typtype as kind,
    case when t.typcategory = 'A' then nullif(t.typelem, 0)::text end as element, nullif(t.typbasetype, 0)::text as base,
    array(select e.enumlabel::text from pg_enum e where e.enumtypid = t.oid order by e.enumsortorder) as labels,
    case when c.relkind <> 'c' then c.relname end as relation,
    case when c.relkind is null then '[]'::jsonb else (
      select coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', a.atttypid::text)), '[]')
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) end as fields
  from pg_type t join pg_namespace n on n.oid = t.typnamespace left join pg_class c on c.oid = nullif(t.typrelid, 0)`

// Partitions are in the API by their parent. A key that a table has in another schema is not embedded by the API.
const RELATIONS = `
  select c.relname as name, n.nspname as schema, c.relkind in ('v', 'm') as is_view,
    pg_relation_is_updatable(c.oid, true) & 8 > 0 as insertable, pg_relation_is_updatable(c.oid, true) & 4 > 0 as updatable,
    (select coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', a.atttypid::text,
        'nullable', not (a.attnotnull or t.typtype = 'd' and t.typnotnull), 'has_default', a.atthasdef or a.attidentity <> '',
        'generated', a.attgenerated <> '' or a.attidentity = 'a', 'updatable', pg_column_is_updatable(c.oid, a.attnum, true))), '[]')
     from pg_attribute a join pg_type t on t.oid = a.atttypid where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
    (select coalesce(jsonb_agg(jsonb_build_object('name', f.conname, 'relation', r.relname, 'columns', k.columns, 'referenced', k.referenced,
        'one_to_one', exists (select from pg_constraint u where u.conrelid = c.oid and u.contype in ('p', 'u') and u.conkey @> f.conkey and u.conkey <@ f.conkey))
        order by f.conname), '[]')
     from pg_constraint f join pg_class r on r.oid = f.confrelid and r.relnamespace = c.relnamespace
     cross join lateral (
       select jsonb_agg(a.attname order by i) as columns, jsonb_agg(b.attname order by i) as referenced
       from unnest(f.conkey, f.confkey) with ordinality as k(a, b, i)
       join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.a join pg_attribute b on b.attrelid = f.confrelid and b.attnum = k.b) k
     where f.conrelid = c.oid and f.contype = 'f' and f.conparentid = 0) as foreign_keys
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = any ($1) and c.relkind in ('r', 'p', 'f', 'v', 'm') and not c.relispartition`

// PostgREST calls by the names of arguments, or with one body that has none (json, jsonb, text).
const FUNCTIONS = `
  select * from (
    select n.nspname as schema, p.proname as name, p.prorettype::text as returns, p.proretset as is_set, p.proretset and p.prorows <= 1 as is_one,
      pg_get_function_identity_arguments(p.oid) as identity,
      (select coalesce(jsonb_agg(jsonb_build_object('name', coalesce(p.proargnames[i], ''), 'type', coalesce(p.proallargtypes[i], p.proargtypes[i - 1])::text,
          'has_default', seen > p.pronargs - p.pronargdefaults)), '[]')
       from (select i, row_number() over (order by i) as seen
             from generate_series(1, cardinality(coalesce(p.proallargtypes, p.proargtypes::oid[]))) i
             where coalesce(p.proargmodes[i], 'i') in ('i', 'b', 'v')) input) as args,
      (select coalesce(jsonb_agg(jsonb_build_object('name', coalesce(p.proargnames[i], ''), 'type', p.proallargtypes[i]::text)), '[]')
       from generate_series(1, cardinality(p.proallargtypes)) i where p.proargmodes[i] = 't') as columns
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = any ($1) and p.prokind = 'f' and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
      and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')) f
  where not args @? '$[*] ? (@.name == "")' or jsonb_array_length(args) = 1 and args -> 0 ->> 'type' in ('114', '3802', '25')
  order by name, identity`
