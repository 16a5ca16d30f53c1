import type { PropertyFilter } from './funnel-definition.ts'
import { arrayElements, compareScalar, equalsScalar } from './json-scalars.ts'

/**
 * A filter as a question about one value: its JSON text as jsonb prints it, or undefined where the event lacks the property.
 * The same as the SQL conditions, value for value: docs/analytics.md has the table.
 */
export function propertyTest(filter: PropertyFilter): (json: string | undefined) => boolean {
  switch (filter.op) {
    case '=':
      return (json) => json !== undefined && equalsScalar(json, filter.value)
    case '!=':
      return (json) => json === undefined || !equalsScalar(json, filter.value)
    case 'in':
      return (json) => json !== undefined && filter.value.some((value) => equalsScalar(json, value))
    case 'exists':
      return (json) => (json !== undefined && json !== 'null') === filter.value
    case 'contains':
      return (json) => json !== undefined && contains(json, filter.value)
    case '<':
    case '<=':
    case '>':
    case '>=':
      return (json) => {
        const order = json === undefined ? undefined : compareScalar(json, filter.value)
        return order !== undefined && ORDERS[filter.op](order)
      }
  }
}

const ORDERS = {
  '<': (order: number) => order < 0,
  '<=': (order: number) => order <= 0,
  '>': (order: number) => order > 0,
  '>=': (order: number) => order >= 0,
}

function contains(json: string, value: string | number | boolean): boolean {
  if (json.startsWith('[')) return arrayElements(json).some((element) => equalsScalar(element, value))
  return typeof value === 'string' && json.startsWith('"') && (JSON.parse(json) as string).includes(value)
}
