import type { Column, PgFunction, Relation, SchemaShape } from './read-schema.ts'
import { quote, tsType } from './ts-type.ts'

/**
 * The text of a TypeScript file in the shape of `supabase gen types typescript`: what supabase-js takes as `createClient<Database>()`.
 * Held against the output of @supabase/postgrest-typegen 0.2.5, the engine of that command (which wants Node 22), over this product's own
 * database and over a schema with every kind of column and function: the same but for quotes, line ends and the wording of the helper types.
 * Left out: relationships by way of views, partitions (the API has their parent alone), computed fields (functions of a row), and the
 * errors for ambiguous overloads. Arguments of a domain have its base type here, and `unknown` there.
 *
 * @param schemas the first is the one that `Tables<'name'>` means
 */
export function writeTypes(shape: SchemaShape, schemas: string[]): string {
  const body = schemas.map((schema) => property(schema, writeSchema(shape, schema, schemas))).join('\n')
  return `${HEAD}\nexport type Database = {\n${indent(body)}\n}\n\n${helpers(schemas[0]!)}\n${constants(shape, schemas)}`
}

const HEAD = `// Made by \`platform-events types\` from a migrated database: not to be changed by hand.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]
`

function writeSchema(shape: SchemaShape, schema: string, schemas: string[]): string {
  const ts = (oid: string): string => tsType(oid, shape, schemas)
  const here = shape.relations.filter((relation) => relation.schema === schema)
  const types = [...shape.types.values()].filter((type) => type.schema === schema)
  const functions = new Map<string, PgFunction[]>()
  for (const fn of shape.functions.filter((fn) => fn.schema === schema)) {
    functions.set(fn.name, [...(functions.get(fn.name) ?? []), fn])
  }
  const enums = types.filter(({ kind }) => kind === 'e')
  const composites = types.filter(({ kind, relation }) => kind === 'c' && relation === null)
  const section = (name: string, entries: [string, string][]): string =>
    block(
      name,
      entries.length === 0
        ? '[_ in never]: never'
        : sorted(entries)
            .map(([key, value]) => property(key, value))
            .join('\n'),
    )
  const relations = (views: boolean): [string, string][] =>
    here.filter(({ is_view }) => is_view === views).map((relation) => [relation.name, writeRelation(relation, ts)])
  return [
    section('Tables', relations(false)),
    section('Views', relations(true)),
    section(
      'Functions',
      [...functions].map(([name, overloads]) => [name, writeFunctions(overloads, shape, ts)]),
    ),
    section(
      'Enums',
      enums.map(({ name, labels }) => [name, labels.map(quote).join(' | ')]),
    ),
    section(
      'CompositeTypes',
      composites.map(({ name, fields }) => [
        name,
        braces(members(fields.map((field) => [field.name, `${ts(field.type)} | null`]))),
      ]),
    ),
  ].join('\n')
}

type Ts = (oid: string) => string

function writeRelation(relation: Relation, ts: Ts): string {
  const written = (isOptional: (column: Column) => boolean): string =>
    braces(
      members(
        relation.columns.map((column) =>
          column.generated || (relation.is_view && !column.updatable)
            ? [column.name, 'never', true]
            : [column.name, columnType(column, ts), isOptional(column)],
        ),
      ),
    )
  const keys = relation.foreign_keys.map(
    ({ name, columns, one_to_one, relation: other, referenced }) => `{
  foreignKeyName: ${quote(name)}
  columns: [${columns.map(quote).join(', ')}]
  isOneToOne: ${one_to_one}
  referencedRelation: ${quote(other)}
  referencedColumns: [${referenced.map(quote).join(', ')}]
},`,
  )
  const always = (): boolean => true
  return braces(
    [
      `Row: ${braces(members(relation.columns.map((column) => [column.name, columnType(column, ts)])))}`,
      !relation.is_view || relation.insertable
        ? `Insert: ${written(relation.is_view ? always : ({ nullable, has_default }) => nullable || has_default)}`
        : '',
      !relation.is_view || relation.updatable ? `Update: ${written(always)}` : '',
      keys.length === 0 ? 'Relationships: []' : `Relationships: [\n${indent(keys.join('\n'))}\n]`,
    ]
      .filter(Boolean)
      .join('\n'),
  )
}

function writeFunctions(overloads: PgFunction[], shape: SchemaShape, ts: Ts): string {
  const written = overloads.map((fn) => writeFunction(fn, shape, ts))
  return written.length === 1 ? written[0]! : `\n${indent(written.map((text) => `| ${text}`).join('\n'))}`
}

function writeFunction(fn: PgFunction, shape: SchemaShape, ts: Ts): string {
  const args =
    fn.args.length === 0
      ? 'Record<PropertyKey, never>'
      : braces(members(fn.args.map(({ name, type, has_default }) => [name, ts(type), has_default])))
  const type = shape.types.get(fn.returns)
  const rowName = type?.kind === 'c' ? (type.relation ?? type.name) : undefined
  const row = shape.relations.find(({ schema, name }) => schema === type?.schema && name === type?.relation)
  const columns = row === undefined ? fn.columns : row.columns
  const one =
    columns.length === 0
      ? ts(fn.returns)
      : braces(
          members(columns.map((column) => [column.name, isColumn(column) ? columnType(column, ts) : ts(column.type)])),
        )
  // One row of a table is what supabase-js makes an array of by itself.
  const returns = `${one}${fn.is_set && !(rowName !== undefined && fn.is_one) ? '[]' : ''}`
  const isOneToOne = !fn.is_set || fn.is_one
  const options =
    rowName === undefined
      ? ''
      : `\nSetofOptions: ${braces(`from: '*'\nto: ${quote(rowName)}\nisOneToOne: ${isOneToOne}\nisSetofReturn: ${fn.is_set}`)}`
  return braces(`Args: ${args}\nReturns: ${returns}${options}`)
}

function columnType({ type, nullable }: Column, ts: Ts): string {
  const value = ts(type)
  return nullable && value !== 'unknown' ? `${value} | null` : value
}

function isColumn(column: Column | PgFunction['columns'][number]): column is Column {
  return 'nullable' in column
}

type Member = [name: string, type: string, isOptional?: boolean]

function members(all: Member[]): string {
  return sorted(all)
    .map(([name, type, isOptional]) => `${key(name)}${isOptional ? '?' : ''}: ${type}`)
    .join('\n')
}

function sorted<T extends [string, ...unknown[]]>(entries: T[]): T[] {
  return entries.toSorted(([a], [b]) => BY_NAME.compare(a, b))
}

/** The same order on every machine. */
const BY_NAME = new Intl.Collator('en')

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name)
}

function property(name: string, value: string): string {
  return value.startsWith('{') || value.startsWith('\n') || !value.includes('\n')
    ? `${key(name)}:${value.startsWith('\n') ? '' : ' '}${value}`
    : block(name, value)
}

function block(name: string, body: string): string {
  return `${key(name)}: ${braces(body)}`
}

function braces(body: string): string {
  return `{\n${indent(body)}\n}`
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}

function constants(shape: SchemaShape, schemas: string[]): string {
  const lines = schemas.map((schema) => {
    const enums = [...shape.types.values()].filter((type) => type.schema === schema && type.kind === 'e')
    const body = sorted(enums.map(({ name, labels }): Member => [name, `[${labels.map(quote).join(', ')}]`]))
      .map(([name, value]) => `      ${key(name)}: ${value},\n`)
      .join('')
    return `  ${key(schema)}: {\n    Enums: {${body === '' ? '' : `\n${body}    `}},\n  },\n`
  })
  return `export const Constants = {\n${lines.join('')}} as const\n`
}

/** `Tables<'bookings'>` of the first schema, `Tables<{ schema: 'other' }, 'bookings'>` of another. */
function helpers(schema: string): string {
  const helper = (name: string, of: string, field?: string): string => {
    const pick = (from: string, at: string): string =>
      field === undefined ? `${from}[${at}]` : `Field<${from}[${at}], '${field}'>`
    return `export type ${name}<
  Name extends keyof ${of}<${quote(schema)}> | { schema: keyof Database },
  InSchema extends Name extends { schema: keyof Database } ? keyof ${of}<Name['schema']> : never = never,
> = Name extends { schema: keyof Database }
  ? ${pick(`${of}<Name['schema']>`, 'InSchema')}
  : Name extends keyof ${of}<${quote(schema)}>
    ? ${pick(`${of}<${quote(schema)}>`, 'Name')}
    : never
`
  }
  return `type Field<Of, Name extends string> = Of extends { [Key in Name]: infer Value } ? Value : never
type TablesOf<Schema extends keyof Database> = Database[Schema]['Tables']
type RowsOf<Schema extends keyof Database> = Database[Schema]['Tables'] & Database[Schema]['Views']
type EnumsOf<Schema extends keyof Database> = Database[Schema]['Enums']
type CompositesOf<Schema extends keyof Database> = Database[Schema]['CompositeTypes']

${helper('Tables', 'RowsOf', 'Row')}
${helper('TablesInsert', 'TablesOf', 'Insert')}
${helper('TablesUpdate', 'TablesOf', 'Update')}
${helper('Enums', 'EnumsOf')}
${helper('CompositeTypes', 'CompositesOf')}`
}
