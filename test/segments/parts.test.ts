import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteTable } from '../../services/retention/src/byte-table.ts'
import { rowOrder } from '../../services/retention/src/row-order.ts'
import { SegmentProperties } from '../../services/retention/src/segment-properties.ts'
import { eachProperty } from '../../services/retention/src/top-level-properties.ts'

describe('the top-level properties of a jsonb', () => {
  it('are those that JSON.parse finds, each value as it was printed', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 3 })), (object) => {
        const bytes = Buffer.from(`>>${asPostgresPrints(object)}<<`)
        const found: [string, string][] = []
        eachProperty(bytes, 2, bytes.length - 2, (keyStart, keyEnd, valueStart, valueEnd) => {
          const key = JSON.parse(`"${bytes.toString('utf8', keyStart, keyEnd)}"`)
          found.push([key, bytes.toString('utf8', valueStart, valueEnd)])
        })
        expect(found).toEqual(Object.entries(object).map(([key, value]) => [key, asPostgresPrints(value)]))
      }),
      { numRuns: 200 },
    )
  })

  it.each(['[{"a": 1}]', '"{"', 'null', '5', '{}'])('are none in %s', (text) => {
    eachProperty(Buffer.from(text), 0, text.length, () => expect.unreachable())
  })

  it.each(['{"a": ', '{"a": "x', '{"a": [1, ', '{"a'])('are no reason to run on behind %s', (text) => {
    expect(() => eachProperty(Buffer.from(text), 0, text.length, () => undefined)).toThrow('cut off')
  })

  function asPostgresPrints(value: unknown): string {
    if (Array.isArray(value)) return `[${value.map(asPostgresPrints).join(', ')}]`
    if (value === null || typeof value !== 'object') return JSON.stringify(value)
    return `{${Object.entries(value)
      .map(([key, inner]) => `${JSON.stringify(key)}: ${asPostgresPrints(inner)}`)
      .join(', ')}}`
  }
})

describe('ByteTable', () => {
  it('gives equal bytes one number, in the order in which they came', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3 }), { maxLength: 300 }), (texts) => {
        const table = new ByteTable({ maxEntries: 1000, maxBytes: 10_000 })
        const known = [...new Set(texts)]
        for (const text of texts) {
          const bytes = Buffer.from(`(${text})`)
          expect(table.numberOf(bytes, 1, bytes.length - 1)).toBe(known.indexOf(text) + 1)
        }
        expect(table.texts()).toEqual(known)
      }),
      { numRuns: 50 },
    )
  })

  it('says when there is no more room, and still knows what it has', () => {
    const table = new ByteTable({ maxEntries: 3, maxBytes: 4 })
    const numberOf = (text: string) => table.numberOf(Buffer.from(text), 0, text.length)
    expect(['a', 'bcde', 'bc', '', 'f', 'a', ''].map(numberOf)).toEqual([1, 0, 2, 3, 0, 1, 3])
  })
})

it('rows are ordered by actor, time and id, as a comparing sort does it', async () => {
  const row = fc.record({
    actor: fc.constantFrom(0, 1, 2 ** 31 - 1),
    ms: fc.nat(86_399_999),
    us: fc.nat(3),
    id: fc.nat(255),
  })
  const few = fc.record({ actor: fc.nat(1), ms: fc.nat(1), us: fc.nat(1), id: fc.nat(255) })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(row, few), { maxLength: 60 }), async (rows) => {
      const order = await rowOrder(rows.length, {
        actors: Uint32Array.from(rows, ({ actor }) => actor),
        ms: Uint32Array.from(rows, ({ ms }) => ms),
        us: Uint16Array.from(rows, ({ us }) => us),
        ids: Uint8Array.from(rows.flatMap(({ id }) => [id, ...Array.from({ length: 15 }, () => 0)])),
      })
      const expected = rows.toSorted((a, b) => a.actor - b.actor || a.ms - b.ms || a.us - b.us || a.id - b.id)
      expect(Array.from(order, (at) => rows[at])).toEqual(expected)
    }),
    { numRuns: 200 },
  )
})

it('the longest column goes when all of them together become too many', () => {
  const properties = new SegmentProperties(5)
  for (const [row, text] of ['{"a": 1, "b": 1}', '{"a": 2}', '{"a": 3}', '{"b": 2}', '{"b": 3}'].entries())
    properties.add(row, Buffer.from(text), 0, text.length)
  expect([...properties.columns()].map(([name, values]) => [name, values?.length])).toEqual([
    ['a', undefined],
    ['b', 3],
  ])
  expect(properties.complete).toBe(true)
})
