import { expect, it } from 'vitest'
import { arrayElements, asText, compareCodePoints, compareScalar, equalsScalar } from './json-scalars.ts'

it('numbers compare as decimals of any length, as Postgres compares numeric', () => {
  expect(equalsScalar('5.0', 5)).toBe(true)
  expect(equalsScalar('9007199254740993', 9007199254740992)).toBe(false)
  expect(compareScalar('9007199254740993', 9007199254740992)).toBeGreaterThan(0)
  expect(compareScalar('-9007199254740993', -9007199254740992)).toBeLessThan(0)
  expect(compareScalar('0.10000000000000000001', 0.1)).toBeGreaterThan(0)
  expect(equalsScalar('0.000', 0)).toBe(true)
  expect(equalsScalar('1000000000000000000000', 1e21)).toBe(true)
  expect(equalsScalar('0.0000001', 1e-7)).toBe(true)
})

it('types are never mixed', () => {
  expect(equalsScalar('"5"', 5)).toBe(false)
  expect(equalsScalar('true', 'true')).toBe(false)
  expect(equalsScalar('null', 'null')).toBe(false)
  expect(compareScalar('"5"', 5)).toBeUndefined()
  expect(compareScalar('5', '5')).toBeUndefined()
})

it('strings compare by code point', () => {
  expect(compareCodePoints('～', '😀')).toBeLessThan(0)
  expect(compareCodePoints('a', 'ab')).toBeLessThan(0)
  expect(compareScalar('"\\u007f\\"é"', '\u007f"é')).toBe(0)
})

it('finds the elements of an array, whatever is in them', () => {
  expect(arrayElements('[]')).toEqual([])
  expect(arrayElements('["a,]\\"", [1, 2], {"b": "}"}, 5, null]')).toEqual([
    '"a,]\\""',
    '[1, 2]',
    '{"b": "}"}',
    '5',
    'null',
  ])
})

it('gives text as ->> does', () => {
  expect(['"x"', '5.0', 'null', '{"a": 1}'].map(asText)).toEqual(['x', '5.0', null, '{"a": 1}'])
})
