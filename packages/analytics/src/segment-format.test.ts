import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeSegment, encodeSegment } from './segment-format.ts'
import { SegmentFormatError } from './segment-format-bytes.ts'
import { decodeColumn, encodeColumn } from './segment-format-column.ts'
import type { DaySlice, PropertyColumn } from './slice.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 8 })

/** Any day, and a property of it that some of its types never have. */
const days = fc
  .record({
    day: fc.nat(50_000),
    types: fc.oneof(fc.uniqueArray(text, { minLength: 1, maxLength: 5 }), fc.constant(many(300))),
    values: fc.oneof(
      { weight: 40, arbitrary: fc.uniqueArray(text, { minLength: 1, maxLength: 4 }) },
      { weight: 3, arbitrary: fc.constant(many(300)) },
      { weight: 1, arbitrary: fc.constant(many(70_000)) },
    ),
    rows: fc.array(
      fc.record({ actor: fc.nat(4), ms: fc.nat(86_399_999), us: fc.nat(999), type: fc.nat(), value: fc.nat() }),
      { maxLength: 30 },
    ),
  })
  .map(({ day, types, values, rows }) => {
    const sorted = rows.toSorted((a, b) => a.actor - b.actor || a.ms - b.ms || a.us - b.us)
    const actors = [...new Set(sorted.map(({ actor }) => actor))]
    const typeCodes = sorted.map(({ type }) => type % types.length)
    const slice: DaySlice = {
      day,
      rows: rows.length,
      types,
      actorNos: Uint32Array.from(actors, (actor) => (actor === 0 ? 0 : actor + 2 ** 31)),
      actorEnds: Uint32Array.from(actors, (actor) => sorted.findLastIndex((row) => row.actor === actor) + 1),
      ms: Uint32Array.from(sorted, ({ ms }) => ms),
      us: Uint16Array.from(sorted, ({ us }) => us),
      typeCodes: types.length > 256 ? Uint16Array.from(typeCodes) : Uint8Array.from(typeCodes),
      columns: new Map(),
    }
    const codes = sorted.map(({ value }, row) => (typeCodes[row]! % 2 === 0 ? 0 : value % (values.length + 1)))
    return { slice, values, codes }
  })

function many(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `n${n}`)
}

describe('a segment and its columns', () => {
  it('come back from their bytes as they were', () => {
    fc.assert(
      fc.property(days, fc.nat(15), fc.boolean(), ({ slice, values, codes }, offset, shared) => {
        const read = decodeSegment(placed(encodeSegment(slice), offset, shared))
        expect(read).toEqual(slice)
        const column: PropertyColumn = { values, codes: Uint32Array.from(codes) }
        const found = decodeColumn(placed(encodeColumn(column, slice), offset, shared), read)
        expect(found.values).toEqual(values)
        expect([...found.codes]).toEqual(codes)
        expect(found.codes.BYTES_PER_ELEMENT).toBe(values.length < 256 ? 1 : values.length < 65_536 ? 2 : 4)
      }),
      { numRuns: 60 },
    )
  })

  it('lie over the bytes, and copy nothing where these are aligned', () => {
    const slice = sample()
    const bytes = encodeSegment(slice)
    const read = decodeSegment(bytes)
    for (const view of [read.actorNos, read.actorEnds, read.ms, read.us, read.typeCodes])
      expect(view.buffer).toBe(bytes.buffer)
    const column = encodeColumn({ values: ['1', '2'], codes: Uint8Array.of(1, 2) }, slice)
    expect(decodeColumn(column, read).codes.buffer).toBe(column.buffer)
  })

  it('are refused when they are damaged in any byte, cut, longer, or something else', () => {
    const slice = sample()
    const segment = encodeSegment(slice)
    const column = encodeColumn({ values: ['"é"', '7'], codes: Uint8Array.of(2, 0) }, slice)
    for (const [bytes, read] of [
      [segment, decodeSegment],
      [column, (some: Uint8Array) => decodeColumn(some, slice)],
    ] as const) {
      for (let at = 0; at < bytes.length; at += 1) {
        const damaged = bytes.slice()
        damaged[at]! ^= 1 << (at % 8)
        expect(() => read(damaged), `byte ${at}`).toThrow(SegmentFormatError)
      }
      for (let length = 0; length < bytes.length; length += 1) expect(() => read(bytes.subarray(0, length))).toThrow()
      expect(() => read(Uint8Array.from([...bytes, ...new Uint8Array(8)]))).toThrow('where')
    }
    expect(() => decodeSegment(column)).toThrow('not a segment')
    expect(() => decodeColumn(segment, slice)).toThrow('not a column')
    expect(() => decodeSegment(new TextEncoder().encode('x'.repeat(80)))).toThrow('not a segment')
    const later = segment.slice()
    later[3] = 2
    expect(() => decodeSegment(later)).toThrow('a segment of version 2')
    expect(() => decodeColumn(column, { ...slice, day: 2 })).toThrow('another segment')
  })
})

function sample(): DaySlice {
  return {
    day: 20_000,
    rows: 2,
    types: ['A', 'Ñ'],
    actorNos: Uint32Array.of(0, 7),
    actorEnds: Uint32Array.of(1, 2),
    ms: Uint32Array.of(5, 86_399_999),
    us: Uint16Array.of(0, 999),
    typeCodes: Uint8Array.of(1, 0),
    columns: new Map(),
  }
}

/** The bytes at some offset of a larger buffer. */
function placed(bytes: Uint8Array, offset: number, shared: boolean): Uint8Array {
  const size = bytes.length + offset
  const target = new Uint8Array(shared ? new SharedArrayBuffer(size) : new ArrayBuffer(size), offset)
  target.set(bytes)
  return target
}
