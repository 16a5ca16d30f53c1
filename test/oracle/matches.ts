import type { OracleEvent } from './events.ts'

export type OracleScalar = string | number | boolean

/** A filter as the API and SQL take it. */
export interface OracleFilter {
  property: string
  op: '=' | '!=' | 'in' | '<' | '<=' | '>' | '>=' | 'exists' | 'contains'
  value?: OracleScalar | OracleScalar[]
}

export interface OracleMatch {
  eventTypes: string[]
  where: OracleFilter[]
}

/** One of the types, and every filter holds. */
export function matches(event: OracleEvent, match: OracleMatch): boolean {
  return match.eventTypes.includes(event.eventType) && match.where.every((filter) => holds(event, filter))
}

/** Whether a filter holds for an event. The property is a top-level key, taken literally. */
export function holds(event: OracleEvent, filter: OracleFilter): boolean {
  const { op, value } = filter
  const found: unknown = Object.hasOwn(event.properties, filter.property)
    ? JSON.parse(event.properties[filter.property]!)
    : undefined
  switch (op) {
    case '=':
      return isSame(found, value)
    case '!=':
      return !isSame(found, value)
    case 'in':
      return (value as OracleScalar[]).some((one) => isSame(found, one))
    case 'exists':
      return (found !== undefined && found !== null) === (value ?? true)
    case 'contains':
      if (Array.isArray(found)) return found.some((element) => isSame(element, value))
      return typeof found === 'string' && typeof value === 'string' && found.includes(value)
    default:
      return compares(found, op, value)
  }
}

/** A scalar of the same type and equal: what `===` says of JSON's scalars; arrays, objects, null and absence are never. */
function isSame(found: unknown, value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof found) && found === value
}

function compares(found: unknown, op: '<' | '<=' | '>' | '>=', value: unknown): boolean {
  let order: number
  if (typeof found === 'number' && typeof value === 'number') order = found - value
  else if (typeof found === 'string' && typeof value === 'string') order = byCodePoint(found, value)
  else return false
  return { '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[op]
}

/** As collate "C" of UTF-8 sorts; JavaScript's own `<` compares UTF-16 units, which differs beyond U+FFFF. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
