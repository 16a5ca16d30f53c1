import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lateness, settleTime } from './clock.ts'
import { formatIsoTime, parseIsoTime } from './iso-time.ts'

const MINUTE = 60_000
const NOW = Date.parse('2026-11-24T12:00:00.000Z')
const at = (ms: number) => ({ ms, micros: 0 })
const iso = (ms: number) => formatIsoTime(at(ms))

describe('settleTime', () => {
  test('takes the claim where the clocks agree', () => {
    expect(settleTime(at(NOW - 1000), { receivedAtMs: NOW, sentAtMs: NOW - 20 })).toEqual({
      created_at: iso(NOW - 1000),
    })
  })

  test('keeps microseconds, also when it corrects', () => {
    const claim = parseIsoTime('2026-11-24T10:59:59.123456Z')
    expect(settleTime(claim, { receivedAtMs: NOW, sentAtMs: null }).created_at).toBe('2026-11-24T10:59:59.123456Z')
    expect(settleTime(claim, { receivedAtMs: NOW, sentAtMs: NOW - 60 * MINUTE })).toEqual({
      created_at: '2026-11-24T11:59:59.123456Z',
      raw_created_at: '2026-11-24T10:59:59.123456Z',
    })
  })

  test.each([
    ['an hour behind', -60],
    ['an hour ahead', 60],
    ['ten years behind', -10 * 365 * 24 * 60],
    ['ten years ahead', 10 * 365 * 24 * 60],
  ])('corrects a clock that is %s by its skew, rounded to 5 minutes', (_, minutes) => {
    const sentAtMs = NOW + minutes * MINUTE
    const claim = sentAtMs - 2000
    expect(settleTime(at(claim), { receivedAtMs: NOW + 300, sentAtMs })).toEqual({
      created_at: iso(NOW - 2000),
      raw_created_at: iso(claim),
    })
  })

  test('leaves a skew of exactly 5 minutes, corrects one of a millisecond more', () => {
    const skewed = (skew: number) => settleTime(at(NOW), { receivedAtMs: NOW, sentAtMs: NOW - skew }).created_at
    expect(skewed(5 * MINUTE)).toBe(iso(NOW))
    expect(skewed(5 * MINUTE + 1)).toBe(iso(NOW + 5 * MINUTE))
    expect(skewed(-5 * MINUTE)).toBe(iso(NOW))
    expect(skewed(-5 * MINUTE - 1)).toBe(iso(NOW - 5 * MINUTE))
  })

  test('without sent_at a claim from the future is brought back to the receipt, to 5 minutes', () => {
    const nextYear = NOW + 365 * 24 * 60 * MINUTE + 61_000
    expect(settleTime(at(nextYear), { receivedAtMs: NOW, sentAtMs: null })).toEqual({
      created_at: iso(NOW + 61_000),
      raw_created_at: iso(nextYear),
    })
  })

  test('without sent_at an old claim stays: it may be an old event', () => {
    const tenYearsAgo = NOW - 10 * 365 * 24 * 60 * MINUTE
    expect(settleTime(at(tenYearsAgo), { receivedAtMs: NOW, sentAtMs: null })).toEqual({
      created_at: iso(tenYearsAgo),
    })
  })

  test('a good clock does not repair an event from the future: it stays, for quarantine', () => {
    const nextYear = NOW + 365 * 24 * 60 * MINUTE
    const settled = settleTime(at(nextYear), { receivedAtMs: NOW, sentAtMs: NOW })
    expect(settled).toEqual({ created_at: iso(nextYear) })
    expect(lateness(Date.parse(settled.created_at), NOW)).toBe('in_future')
  })

  test('a correction that leaves the years 1 to 9999 is not made', () => {
    const claim = parseIsoTime('9999-12-31T00:00:00Z')
    const settled = settleTime(claim, { receivedAtMs: NOW, sentAtMs: Date.parse('0001-01-01T00:00:00Z') })
    expect(settled.created_at).toBe('9999-12-31T00:00:00.000Z')
  })

  test('without any claim the receipt is all there is, and says so', () => {
    expect(settleTime(null, { receivedAtMs: NOW, sentAtMs: null })).toEqual({
      created_at: iso(NOW),
      time_of_receipt: true,
    })
  })
})

describe('a retry lands on the same created_at, or both attempts are looked up by id', () => {
  const sameOrById = (claim: number, first: Parameters<typeof settleTime>[1], retry: typeof first) => {
    const a = settleTime(at(claim), first)
    const b = settleTime(at(claim), retry)
    const byId = a.raw_created_at !== undefined && b.raw_created_at !== undefined
    expect(a.created_at === b.created_at || byId).toBe(true)
  }

  test('whatever the clock, however long between the attempts, with up to a minute on the way', () => {
    const transit = fc.integer({ min: 0, max: MINUTE })
    const offset = fc.oneof(
      fc.integer({ min: -20 * MINUTE, max: 20 * MINUTE }),
      fc.integer({ min: -400 * 24 * 60 * MINUTE, max: 400 * 24 * 60 * MINUTE }),
    )
    fc.assert(
      fc.property(offset, fc.nat(7 * 24 * 60 * MINUTE), transit, transit, (clock, wait, first, second) => {
        const sent = (realMs: number, way: number) => ({ receivedAtMs: realMs + way, sentAtMs: realMs + clock })
        sameOrById(NOW + clock - 1000, sent(NOW, first), sent(NOW + wait, second))
      }),
      { numRuns: 2000 },
    )
  })

  test('without sent_at, however far ahead, when tried again within 4 minutes', () => {
    fc.assert(
      fc.property(fc.integer({ min: -MINUTE, max: 30 * MINUTE }), fc.nat(4 * MINUTE - 1), (ahead, wait) => {
        const received = (receivedAtMs: number) => ({ receivedAtMs, sentAtMs: null })
        sameOrById(NOW + ahead, received(NOW), received(NOW + wait))
      }),
      { numRuns: 2000 },
    )
  })

  test('nothing near the present takes the slow path', () => {
    fc.assert(
      fc.property(fc.integer({ min: -3 * MINUTE, max: 3 * MINUTE }), fc.nat(7 * 24 * 60 * MINUTE), (clock, age) => {
        const settled = settleTime(at(NOW + clock - age), { receivedAtMs: NOW + 200, sentAtMs: NOW + clock })
        expect(settled).toEqual({ created_at: iso(NOW + clock - age) })
      }),
    )
  })
})

describe('one clock, one order', () => {
  test('events of a request keep their order and their distances', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(1_000_000), fc.nat(1_000_000), (skew, a, b) => {
        const receipt = { receivedAtMs: NOW, sentAtMs: NOW + (skew % (365 * 24 * 60 * MINUTE)) }
        const settled = [a, b].map((age) => Date.parse(settleTime(at(NOW - age), receipt).created_at))
        expect(settled[0]! - settled[1]!).toBe(b - a)
      }),
    )
  })
})

describe('lateness', () => {
  const DAY = 24 * 60 * MINUTE
  test.each([
    [7 * DAY, null],
    [7 * DAY + 1, 'too_old'],
    [0, null],
    [-5 * MINUTE, null],
    [-5 * MINUTE - 1, 'in_future'],
  ])('an event %d ms old is %s', (age, expected) => expect(lateness(NOW - age, NOW)).toBe(expected))
})
