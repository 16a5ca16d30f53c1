import { describe, expect, it } from 'vitest'
import { draw } from './drawn.ts'
import { holds, matches, type OracleFilter } from './matches.ts'

/** Whether it holds for an event with this JSON as its property p; undefined: without the property. */
function holdsOf(
  json: string | undefined,
  op: OracleFilter['op'],
  value?: NonNullable<OracleFilter['value']>,
): boolean {
  const event = { ...draw('A1')[0]!, properties: json === undefined ? {} : { p: json } }
  return holds(event, { property: 'p', op, ...(value === undefined ? {} : { value }) })
}

describe('a filter', () => {
  it.each([
    ['"x"', '=', 'x', true],
    ['5.0', '=', 5, true],
    ['"5"', '=', 5, false],
    ['true', '=', true, true],
    ['["x"]', '=', 'x', false],
    ['null', '=', 'null', false],
    [undefined, '=', 'x', false],
    ['"y"', '!=', 'x', true],
    ['5.0', '!=', 5, false],
    [undefined, '!=', 'x', true],
    ['null', '!=', 'x', true],
    ['2', 'in', ['2', 2], true],
    ['3', 'in', ['2', 2], false],
    ['10', '>', 9, true],
    ['"10"', '>', 9, false],
    ['"10"', '<', '9', true],
    ['"a"', '>', 'B', true],
    ['"😀"', '>', '～', true],
    ['5.0', '<=', 5, true],
    ['5.0', '>=', 5, true],
    ['true', '>', 0, false],
    ['0', 'exists', true, true],
    ['null', 'exists', true, false],
    [undefined, 'exists', true, false],
    ['null', 'exists', false, true],
    ['"a%b"', 'contains', '%', true],
    ['"ab"', 'contains', 'B', false],
    ['"5"', 'contains', 5, false],
    ['[5.0, "x"]', 'contains', 5, true],
    ['["xy"]', 'contains', 'x', false],
    ['{"x": 1}', 'contains', 'x', false],
  ] as const)('%s %s %j: %s', (json, op, value, expected) => {
    expect(holdsOf(json, op, value as NonNullable<OracleFilter['value']>)).toBe(expected)
  })

  it('exists by itself asks for presence', () => {
    expect(holdsOf('0', 'exists')).toBe(true)
  })

  it('takes the property literally: a dot is no path', () => {
    const event = { ...draw('A1')[0]!, properties: { a: '{"b": 1}', 'c.d': '1' } }
    expect(holds(event, { property: 'a.b', op: '=', value: 1 })).toBe(false)
    expect(holds(event, { property: 'c.d', op: '=', value: 1 })).toBe(true)
  })

  it('stands beside the type: one of the types, and all of the filters', () => {
    const event = { ...draw('A1')[0]!, properties: { p: '1', q: '2' } }
    const where: OracleFilter[] = [
      { property: 'p', op: '=', value: 1 },
      { property: 'q', op: '=', value: 3 },
    ]
    expect(matches(event, { eventTypes: ['B', 'A'], where: where.slice(0, 1) })).toBe(true)
    expect(matches(event, { eventTypes: ['B', 'A'], where })).toBe(false)
    expect(matches(event, { eventTypes: ['B'], where: [] })).toBe(false)
  })
})
