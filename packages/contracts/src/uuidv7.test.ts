import { describe, expect, it } from 'vitest'
import { uuidv7Generator, uuidv7Time } from './uuidv7.ts'

const V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('uuidv7Generator', () => {
  it('sets the version, the variant and the time, whatever the random bits', () => {
    for (const fill of [0, 0xffffffff]) {
      const next = uuidv7Generator(
        () => 0x0123456789ab,
        (words) => words.fill(fill),
      )
      for (let i = 0; i < 3; i++) {
        const id = next()
        expect(id).toMatch(V7)
        expect(id.slice(0, 13)).toBe('01234567-89ab')
      }
    }
  })

  it('ascends and never repeats: 100,000 ids within one millisecond', () => {
    const next = uuidv7Generator(() => 1_700_000_000_000)
    expectAscending(Array.from({ length: 100_000 }, next))
  })

  it('ascends when the counter starts at its highest', () => {
    const next = uuidv7Generator(
      () => 1_700_000_000_000,
      (words) => words.fill(0xffffffff),
    )
    expectAscending(Array.from({ length: 1000 }, next))
  })

  it('ascends over a clock that runs back and catches up again', () => {
    const clock = [1000, 1001, 1001, 400, 401, 1001, 1000, 1002, 1002, 3]
    let tick = 0
    const next = uuidv7Generator(() => 1_700_000_000_000 + clock[tick++ % clock.length]!)
    expectAscending(Array.from({ length: 10_000 }, next))
  })

  it('ascends with the real clock, and two generators share no id', () => {
    const [one, other] = [uuidv7Generator(), uuidv7Generator()]
    const ids = Array.from({ length: 50_000 }, one)
    expectAscending(ids)
    expect(new Set([...ids, ...Array.from({ length: 50_000 }, other)]).size).toBe(100_000)
  })
})

describe('uuidv7Time', () => {
  it('gives back the milliseconds, in either case of letters', () => {
    const id = uuidv7Generator(() => 1_763_962_200_123)()
    expect(uuidv7Time(id)).toBe(1_763_962_200_123)
    expect(uuidv7Time(id.toUpperCase())).toBe(1_763_962_200_123)
    // The example of RFC 9562, appendix A.6: 22 February 2022, 2:22:22 pm GMT-05:00.
    expect(uuidv7Time('017F22E2-79B0-7CC3-98C4-DC0C0C07398F')).toBe(Date.parse('2022-02-22T14:22:22-05:00'))
  })

  it('is null for other versions and for what is no uuid', () => {
    for (const text of [
      '8c2b0f0e-3d0a-4c57-9f43-0b4f7a6a1d11',
      '',
      'yesterday',
      '017F22E2-79B0-7CC3-18C4-DC0C0C07398F',
    ])
      expect(uuidv7Time(text)).toBeNull()
  })
})

function expectAscending(ids: string[]): void {
  for (let i = 1; i < ids.length; i++) {
    if (ids[i]! <= ids[i - 1]!) expect.fail(`${ids[i]} does not follow ${ids[i - 1]}`)
    if (!V7.test(ids[i]!)) expect.fail(`${ids[i]} is no UUIDv7`)
  }
}
