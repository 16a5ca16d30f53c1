import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIsoTime, parseIsoTime } from './iso-time.ts'

const canonical = (text: string): string | null => {
  const time = parseIsoTime(text)
  return time === null ? null : formatIsoTime(time)
}

describe('parseIsoTime', () => {
  test.each([
    ['2026-11-24T09:30:00Z', '2026-11-24T09:30:00.000Z'],
    ['2026-11-24T09:30:00.1Z', '2026-11-24T09:30:00.100Z'],
    ['2026-11-24T09:30:00.123Z', '2026-11-24T09:30:00.123Z'],
    ['2026-11-24T09:30:00.123456Z', '2026-11-24T09:30:00.123456Z'],
    ['2026-11-24T09:30:00.000001Z', '2026-11-24T09:30:00.000001Z'],
    ['2026-11-24T09:30:00.123456789Z', '2026-11-24T09:30:00.123456Z'],
    ['2026-11-24T09:30:00.999999999Z', '2026-11-24T09:30:00.999999Z'],
    ['2026-11-24T04:30:00-05:00', '2026-11-24T09:30:00.000Z'],
    ['2026-11-24T23:59:59.5+05:30', '2026-11-24T18:29:59.500Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.998999Z', '9999-12-31T23:59:59.998999Z'],
    ['1969-12-31T23:59:59.999999Z', '1969-12-31T23:59:59.999999Z'],
  ])('reads %s as %s', (text, expected) => expect(canonical(text)).toBe(expected))

  test.each([
    'yesterday',
    '',
    '1764000000000',
    '2026-11-24',
    '2026-11-24T09:30Z',
    '2026-11-24T09:30:00',
    '2026-11-24 09:30:00Z',
    '2026-11-24T09:30:00.Z',
    '2026-11-24T09:30:00z',
    '2026-11-24T09:30:00+0500',
    '2026-02-30T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:60Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00+00:60',
    '0000-12-31T23:59:59Z',
    '0001-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
    '9999-12-31T23:59:59.999999Z',
    '+012026-01-01T00:00:00Z',
    '2026-01-01T00:00:00Z\n',
    ' 2026-01-01T00:00:00Z',
    '２０２６-01-01T00:00:00Z',
  ])('refuses %j', (text) => expect(parseIsoTime(text)).toBeNull())

  test('agrees with Date on every time that both can read', () => {
    const inRange = fc.date({
      min: new Date('0001-01-02T00:00:00Z'),
      max: new Date('9999-12-30T00:00:00Z'),
      noInvalidDate: true,
    })
    const offset = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 })
    fc.assert(
      fc.property(inRange, offset, (date, minutes) => {
        const local = new Date(date.getTime() + minutes * 60_000)
        fc.pre(local.getUTCFullYear() >= 1 && local.getUTCFullYear() <= 9999)
        const two = (n: number) => String(n).padStart(2, '0')
        const size = Math.abs(minutes)
        const zone = `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`
        const text = local.toISOString().replace('Z', zone)
        expect(canonical(text)).toBe(new Date(text).toISOString())
      }),
    )
  })

  test('gives the same text for its own text', () => {
    fc.assert(
      fc.property(fc.integer({ min: -6e13, max: 2.5e14 }), fc.integer({ min: 0, max: 999 }), (ms, micros) => {
        expect(parseIsoTime(formatIsoTime({ ms, micros }))).toMatchObject({ ms, micros })
      }),
    )
  })
})
