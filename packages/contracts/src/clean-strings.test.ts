import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cleanStrings, mayNeedCleaning } from './clean-strings.ts'

const cleaned = (json: string) => {
  let count = 0
  const value = cleanStrings(JSON.parse(json), () => {
    count++
  })
  return { json: JSON.stringify(value), count }
}

describe('cleanStrings', () => {
  test.each([
    ['{"a":"x\\u0000y"}', '{"a":"xy"}', 1],
    ['{"a\\u0000b":1}', '{"ab":1}', 1],
    ['{"a":"\\ud83d"}', '{"a":"\ufffd"}', 1],
    ['{"a":"\\ude00x\\ud83d"}', '{"a":"\ufffdx\ufffd"}', 1],
    ['{"a":"\\ud83d\\ude00"}', '{"a":"😀"}', 0],
    ['{"a":"\\ud83d\\u0000\\ude00"}', '{"a":"😀"}', 1],
    ['{"a":["\\u0000",{"b":"\\u0000"}],"c":"\\u0000"}', '{"a":["",{"b":""}],"c":""}', 3],
    ['["Bogot\\u00e1",1.5,true,null]', '["Bogotá",1.5,true,null]', 0],
  ])('%s becomes %s', (input, output, count) => expect(cleaned(input)).toEqual({ json: output, count }))

  test('__proto__ is a key like another, also where it only appears by cleaning', () => {
    const value = cleanStrings(
      JSON.parse('{"__proto__":{"a":"\\u0000"},"b":{"__pro\\u0000to__":{"polluted":1}}}'),
      () => {},
    )
    expect(JSON.stringify(value)).toBe('{"__proto__":{"a":""},"b":{"__proto__":{"polluted":1}}}')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })

  test('a depth of 100,000 ends at the limit', () => {
    const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)
    expect(() => cleanStrings(deep, () => {})).not.toThrow()
  })
})

describe('mayNeedCleaning', () => {
  test('says yes for every text whose strings cleaning would change', () => {
    const unit = fc.oneof(
      fc.constantFrom('\u0000', '\ud83d', '\ude00', '\\u0000', 'u0000', '\\', '"'),
      fc.string({ maxLength: 3 }),
    )
    fc.assert(
      fc.property(
        fc.array(unit).map((units) => units.join('')),
        (text) => {
          // JSON.stringify escapes exactly what UTF-8 cannot carry and what JSON forbids.
          const json = JSON.stringify({ [text]: text })
          if (cleaned(json).count > 0) expect(mayNeedCleaning(json)).toBe(true)
        },
      ),
    )
  })

  test('says no for what people write', () => {
    expect(mayNeedCleaning('{"city":"Bogot\\u00e1","x":"\\n"}')).toBe(false)
  })
})
