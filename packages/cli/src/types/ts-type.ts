import type { SchemaShape } from './read-schema.ts'

/** The type of TypeScript that a value has as JSON: by the type's oid; `unknown` for ranges and what else PostgREST sends as it likes. */
export function tsType(oid: string, shape: SchemaShape, schemas: string[]): string {
  const type = shape.types.get(oid)
  if (type === undefined) return 'unknown'
  if (type.element !== null) return arrayOf(tsType(type.element, shape, schemas))
  if (type.base !== null) return tsType(type.base, shape, schemas)
  const own = BY_NAME[type.name]
  if (own !== undefined && type.kind !== 'e' && type.kind !== 'c') return own
  const known = schemas.includes(type.schema)
  const of = (kind: string): string => `Database['${type.schema}']['${kind}']['${type.name}']`
  if (type.kind === 'e') return known ? of('Enums') : type.labels.map(quote).join(' | ')
  if (type.kind !== 'c' || !known) return 'unknown'
  if (type.relation === null) return of('CompositeTypes')
  const relation = shape.relations.find(({ schema, name }) => schema === type.schema && name === type.relation)
  return relation === undefined ? 'unknown' : `${of(relation.is_view ? 'Views' : 'Tables')}['Row']`
}

/** As a literal of TypeScript in single quotes. */
export function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n')}'`
}

function arrayOf(element: string): string {
  return /^[\w']+(?:\[[^\]]*\])*$/.test(element) ? `${element}[]` : `(${element})[]`
}

const named = (type: string, names: string): [string, string][] => names.split(' ').map((name) => [name, type])

// bytea comes as text, and int8 and numeric as JSON numbers, which lose what lies over 2^53.
const BY_NAME: Record<string, string> = Object.fromEntries([
  ...named('boolean', 'bool'),
  ...named('number', 'int2 int4 int8 float4 float8 numeric'),
  ...named('string', 'text varchar bpchar citext uuid bytea date time timetz timestamp timestamptz interval vector'),
  ...named('Json', 'json jsonb'),
  ...named('undefined', 'void'),
  ...named('Record<string, unknown>', 'record'),
])
