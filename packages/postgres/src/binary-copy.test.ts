import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BinaryCopy } from './binary-copy.ts'

const HEADER = '5047434f50590aff0d0a000000000000000000'
const UUID = '019aa5c1-7f3e-7abc-8def-0123456789ab'

function encode(fill: (copy: BinaryCopy) => void, initialBytes?: number): string {
  const copy = new BinaryCopy(initialBytes)
  copy.begin()
  fill(copy)
  return copy.finish().toString('hex')
}

/** What one value is encoded as: its length and its bytes. */
function field(fill: (copy: BinaryCopy) => void): Buffer {
  return Buffer.from(encode(fill).slice(HEADER.length, -4), 'hex')
}

describe('the file', () => {
  test('is a header and a trailer when it has no row', () => {
    expect(encode(() => undefined)).toBe(`${HEADER}ffff`)
  })

  test('begins anew after begin()', () => {
    const copy = new BinaryCopy()
    copy.begin()
    copy.row(1)
    copy.int4(7)
    copy.finish()
    copy.begin()
    expect(copy.finish().toString('hex')).toBe(`${HEADER}ffff`)
  })

  test('grows from nothing to whatever is needed, unchanged', () => {
    const rows = (copy: BinaryCopy): void => {
      for (let index = 0; index < 500; index += 1) {
        copy.row(3)
        copy.uuid(UUID)
        copy.text('ñ'.repeat(index))
        copy.jsonb(Buffer.from(`{"n":${index}}`))
      }
    }
    expect(encode(rows, 1)).toBe(encode(rows, 1 << 20))
  })
})

describe('values', () => {
  test('row, null and small integers', () => {
    const rows = encode((copy) => {
      copy.row(4)
      copy.null()
      copy.int2(-2)
      copy.int4(-2_147_483_648)
      copy.int8(-1)
    })
    expect(rows).toBe(
      `${HEADER}0004${'ffffffff'}${'00000002fffe'}${'0000000480000000'}${'00000008ffffffffffffffff'}ffff`,
    )
  })

  test('uuid, in either case', () => {
    const hex = UUID.replaceAll('-', '')
    expect(field((copy) => copy.uuid(UUID)).toString('hex')).toBe(`00000010${hex}`)
    expect(field((copy) => copy.uuid(UUID.toUpperCase())).toString('hex')).toBe(`00000010${hex}`)
  })

  test.each([
    ['empty', ''],
    ['short', UUID.slice(1)],
    ['a letter that is no digit', UUID.replace('a', 'g')],
    ['a character beyond a byte', UUID.replace('a', '\u0161')],
    ['dashes elsewhere', '019aa5c17-f3e-7abc-8def-0123456789ab'],
    ['no dashes but digits', UUID.replaceAll('-', '0')],
  ])('refuses a uuid that is none: %s', (_, value) => {
    expect(() => field((copy) => copy.uuid(value))).toThrow(RangeError)
  })

  test('text is UTF-8, short or long, whatever the characters', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(0x7f), fc.nat(0xffff)), { maxLength: 60 }), (codes) => {
        const value = String.fromCharCode(...codes)
        const bytes = field((copy) => copy.text(value))
        expect(bytes.readInt32BE(0)).toBe(bytes.length - 4)
        expect(bytes.toString('hex', 4)).toBe(Buffer.from(value, 'utf8').toString('hex'))
      }),
    )
  })

  test('jsonb is a version byte and the bytes as they are, from a Buffer or a slice of any array', () => {
    const line = new TextEncoder().encode('xx{"a":"ñ"}yy')
    const expected = Buffer.from('\u0001{"a":"ñ"}')
    for (const source of [line, Buffer.from(line)]) {
      const bytes = field((copy) => copy.jsonb(source, 2, line.length - 2))
      expect(bytes.readInt32BE(0)).toBe(expected.length)
      expect(bytes.subarray(4)).toEqual(expected)
    }
  })
})

describe('64-bit integers from doubles equal those from BigInt', () => {
  const asBigInt = (value: bigint): Buffer => {
    const bytes = Buffer.alloc(12)
    bytes.writeInt32BE(8, 0)
    bytes.writeBigInt64BE(value, 4)
    return bytes
  }

  test.each([
    0,
    1,
    -1,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
    -(2 ** 32),
    2 ** 32 - 1,
    -(2 ** 32) - 1,
    2 ** 53 - 1,
    1 - 2 ** 53,
  ])('at the edge %d', (value) => {
    expect(field((copy) => copy.int8(value))).toEqual(asBigInt(BigInt(value)))
  })

  test('everywhere', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(field((copy) => copy.int8(value))).toEqual(asBigInt(BigInt(value)))
      }),
    )
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(field((copy) => copy.int8(value))).toEqual(asBigInt(value))
      }),
    )
  })

  test('timestamptz counts microseconds from 2000', () => {
    const years = { min: Date.UTC(1720, 0, 1) * 1000, max: Date.UTC(2250, 0, 1) * 1000 }
    fc.assert(
      fc.property(fc.integer(years), (microseconds) => {
        const expected = asBigInt(BigInt(microseconds) - 946_684_800_000_000n)
        expect(field((copy) => copy.timestamptz(microseconds))).toEqual(expected)
      }),
    )
  })

  test('timestamptz takes every year that a claim can name, to the nearest double', () => {
    const years = { min: Date.UTC(2256, 0, 1), max: 253_402_300_799_999 }
    fc.assert(
      fc.property(fc.oneof(fc.integer(years), fc.integer({ min: -62_135_596_800_000, max: 0 })), (milliseconds) => {
        const microseconds = milliseconds * 1000
        const expected = asBigInt(BigInt(microseconds) - 946_684_800_000_000n).readBigInt64BE()
        const written = field((copy) => copy.timestamptz(microseconds)).readBigInt64BE()
        expect(Number(written - expected)).toBeGreaterThanOrEqual(-32)
        expect(Number(written - expected)).toBeLessThanOrEqual(32)
      }),
    )
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 0.5, 2 ** 53, 2 ** 63])('refuses %d', (value) => {
    expect(() => field((copy) => copy.int8(value))).toThrow(RangeError)
    if (value !== 2 ** 53) expect(() => field((copy) => copy.timestamptz(value))).toThrow(RangeError)
  })
})
