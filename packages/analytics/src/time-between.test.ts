import { expect, it } from 'vitest'
import type { FunnelTally } from './funnel-tally.ts'
import { timeBetweenAnswer } from './time-between.ts'

function meanOf(...micros: number[]): number | null {
  const step = { fromFirst: Float64Array.from(micros) }
  return timeBetweenAnswer({ times: [step, step] } as unknown as FunnelTally).mean
}

it('rounds the mean to whole microseconds, a half upwards, as SQL does', () => {
  expect(meanOf(1, 2)).toBe(0.000002)
  expect(meanOf(500_000, 500_001)).toBe(0.500001)
  expect(meanOf(1, 1, 2)).toBe(0.000001)
  expect(meanOf()).toBeNull()
})

it('adds up more than a double counts exactly', () => {
  const year = 31_622_400_000_000
  expect(meanOf(...Array.from({ length: 999 }, () => year - 1), year + 998)).toBe((year - 1 + 1) / 1e6)
})
