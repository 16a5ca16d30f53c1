import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utcMicros } from './timestamp.ts'

describe('utcMicros', () => {
  it('agrees with Date for every time in milliseconds', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }), (date) => {
        expect(utcMicros(date.toISOString())).toBe(date.getTime() * 1000)
      }),
    )
  })

  it('keeps microseconds, and takes fewer decimals', () => {
    const second = Date.parse('2026-11-24T09:30:07Z') * 1000
    expect(utcMicros('2026-11-24T09:30:07.123456Z')).toBe(second + 123_456)
    expect(utcMicros('2026-11-24T09:30:07.5Z')).toBe(second + 500_000)
    expect(utcMicros('2026-11-24T09:30:07Z')).toBe(second)
  })

  it.each([
    'yesterday',
    '',
    '2026-11-24',
    '2026-13-24T09:30:00Z',
    '2026-11-24T25:30:00Z',
    '2026-11-24T09:61:00Z',
    '2026-11-24T09:30:61Z',
    '2026-11-24T09:30:00+01:00',
    '0000-12-31T23:59:59.999Z',
    '9999-12-31T23:59:59.999999Z',
    '2026-11-24T09:30:00.1234567Z',
  ])('gives NaN for %s', (text) => {
    expect(utcMicros(text)).toBeNaN()
  })
})
